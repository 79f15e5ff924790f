import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { buildImage, findBusybox, pushImage } from '../support/oci-image.ts';
import { type JobDocument, Site } from '../support/site.ts';
import { FORBIDDEN_CALLS, systemCall } from './system-call.ts';

/** The users that attacks run as: the site's own, and root by a rule that allows it. */
export type Attacker = 'nobody' | 'root';

/** What a job came to, as its owner sees it. */
export interface Story {
  readonly job: JobDocument;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the host was after a job. */
export interface HostLook {
  /** Containers and volumes of the gateway that are still on the engine. */
  readonly remains: readonly string[];
  /** Connections that reached a server on the host. */
  readonly calls: number;
  /** Bytes that are free on the disk less than before. */
  readonly disk: number;
}

/** Small limits, so that attacks meet them soon. */
const ENGINE = 'processes: 40, tmp: 2M, work: 8M, sharedMemory: 1M, fileSize: 16M, outputBytes: 64M, outputLook: 1, logSize: 1M';
const JOBS = 'jobs: { slots: 2, grace: 1, defaultMemory: 64M, results: { bytes: 32M, files: 100 } }';

/** A site with an image full of tools for attacks, under one rule that gives it nobody and one that gives it root. */
export class AttackSite {
  readonly #site = new Site();
  readonly #listener = createServer((socket) => {
    this.#calls += 1;
    socket.destroy();
  });
  #calls = 0;
  #port = 0;

  async open(): Promise<void> {
    const site = this.#site;
    await site.open();
    const file = join(site.folder, 'pratique.yaml');
    const text = readFileSync(file, 'utf8').replace(/engine: \{(.*)\}/, `engine: {$1, ${ENGINE} }\n${JOBS}`);
    const rules = { nobody: '65534:65534', root: '0:0' } satisfies Record<Attacker, string>;
    const lines = Object.entries(rules).map(([name, user]) => `    - { name: as-${name}, images: ["${site.registry.host}/${name}/**"], config: { volumes: any }, run: { user: "${user}"${name === 'root' ? ', hostRoot: true' : ''} } }\n`);
    writeFileSync(file, text + lines.join(''));
    const image = await buildImage({
      base: site.base,
      files: {
        '/secret': { content: 'not for nobody\n', mode: 0o600 },
        '/bin/busybox-suid': { content: readFileSync(findBusybox()), mode: 0o4755 },
        ...Object.fromEntries(Object.entries(FORBIDDEN_CALLS).map(([name, [number, ...args]]) => [`/calls/${name}`, { content: systemCall(number, args), mode: 0o755 }])),
      },
      config: { Volumes: { '/data': {} }, Healthcheck: { Test: ['CMD', 'touch', '/output/healthcheck'], Interval: 1_000_000 }, Labels: { 'traefik.enable': 'true' } },
    });
    for (const folder of Object.keys(rules)) await pushImage(site.registry.host, `${folder}/attack`, '1', image);
    this.#listener.listen(0, '0.0.0.0');
    await once(this.#listener, 'listening');
    const address = this.#listener.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
    await site.start();
  }

  /** Where on the host, and beside it, something listens or might. */
  get targets(): readonly string[] {
    const hosts = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family }) => family === 'IPv4').map((each) => each.address);
    const gateway = new URL(this.#site.url).port;
    return [...new Set([...hosts, '172.17.0.1'])].flatMap((host) => [this.#port, gateway, 2375, 2376].map((port) => `${host}:${String(port)}`)).concat('169.254.169.254:80', '192.0.2.1:80');
  }

  async run(as: Attacker, script: string, parameters: Readonly<Record<string, string>> = {}): Promise<Story> {
    const site = this.#site;
    const words = new URLSearchParams({ PHASE: 'RUN', IMAGE: `${site.registry.host}/${as}/attack:1`, ...parameters });
    for (const word of ['sh', '-c', script]) words.append('ARG', word);
    const made = await fetch(`${site.url}/uws/docker`, { method: 'POST', body: words, redirect: 'manual' });
    const url = made.headers.get('location');
    if (url === null) throw new Error(`no job: ${String(made.status)} ${await made.text()}`);
    const job = await site.ended(url);
    const text = async (id: string): Promise<string> => (job.results.some((result) => result.id === id) ? site.result(url, id) : '');
    return { job, stdout: await text('stdout'), stderr: await text('stderr') };
  }

  /** Looks at the host; `before`: the free bytes that there were. */
  async look(before: number): Promise<HostLook> {
    const calls = this.#calls;
    this.#calls = 0;
    // the record of a job's end comes before its container's removal
    let remains = await this.#site.remains();
    for (let look = 0; remains.length > 0 && look < 100; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      remains = await this.#site.remains();
    }
    return { remains, calls, disk: before - this.free() };
  }

  /** What the gateway has logged lately. */
  get log(): string {
    return this.#site.log;
  }

  /** Free bytes on this machine's disk. */
  free(): number {
    const { bavail, bsize } = statfsSync('/');
    return bavail * bsize;
  }

  async close(): Promise<void> {
    await this.#site.close();
    // last: it is what keeps a program alive that waits for the registry's end
    this.#listener.close();
  }
}
