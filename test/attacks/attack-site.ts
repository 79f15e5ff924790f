import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { buildImage, findBusybox, pushImage } from '../support/oci-image.ts';
import { type JobDocument, Site } from '../support/site.ts';
import { bystanderOf, HostWatch } from './host-watch.ts';
import { BECOME_NOBODY, BECOME_ROOT, FORBIDDEN_CALLS, JOIN_GROUP, systemCall } from './system-call.ts';

/** What attacks run as: the site's own user, root by a rule that allows it, and root with a root file system that can be written and one capability. */
const RULES = {
  nobody: 'user: "65534:65534"',
  root: 'user: "0:0", hostRoot: true',
  relaxed: 'user: "0:0", hostRoot: true, writableRoot: true, capabilities: [CHOWN]',
} as const;
export type Attacker = keyof typeof RULES;

/** What a job came to, as its owner sees it. */
export interface Story {
  readonly job: JobDocument;
  readonly stdout: string;
  readonly stderr: string;
}

/** Small limits, so that attacks meet them soon. */
const ENGINE = 'processes: 40, tmp: 2M, work: 8M, sharedMemory: 1M, fileSize: 16M, outputBytes: 64M, outputLook: 1, logSize: 1M';
const JOBS = 'jobs: { slots: 2, grace: 1, defaultMemory: 64M, results: { bytes: 32M, files: 100 } }';

/** A site with an image full of tools for attacks, under a rule for each attacker, and somebody else's container and volume beside it. */
export class AttackSite {
  readonly docker = new Docker();
  readonly #site = new Site();
  #watch: HostWatch | undefined;
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
    const text = readFileSync(file, 'utf8').replace(/engine: \{(.*)\}/, `engine: {$1, ${ENGINE} }\n${JOBS}`).replace('log: info', 'log: debug');
    const lines = Object.entries(RULES).map(([name, run]) => `    - { name: as-${name}, images: ["${site.registry.host}/${name}/**"], config: { volumes: any }, run: { ${run} } }\n`);
    writeFileSync(file, text + lines.join(''));
    const image = await buildImage({
      base: site.base,
      files: {
        '/secret': { content: 'not for nobody\n', mode: 0o600 },
        '/bin/become-root': { content: systemCall(...BECOME_ROOT), mode: 0o4755 },
        '/bin/become-nobody': { content: systemCall(...BECOME_NOBODY), mode: 0o755 },
        '/bin/join-group': { content: systemCall(...JOIN_GROUP), mode: 0o755 },
        '/bin/busybox-suid': { content: readFileSync(findBusybox()), mode: 0o4755 },
        ...Object.fromEntries(Object.entries(FORBIDDEN_CALLS).map(([name, [number, ...args]]) => [`/calls/${name}`, { content: systemCall(number, args), mode: 0o755 }])),
      },
      config: { Volumes: { '/data': {} }, Healthcheck: { Test: ['CMD', 'touch', '/output/healthcheck'], Interval: 1_000_000 }, Labels: { 'traefik.enable': 'true' } },
    });
    for (const folder of Object.keys(RULES)) await pushImage(site.registry.host, `${folder}/attack`, '1', image);
    this.#listener.listen(0, '0.0.0.0');
    await once(this.#listener, 'listening');
    const address = this.#listener.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
    await site.start();
    await this.#makeBystander();
    this.#watch = new HostWatch(site.gatewayName, site.url);
    await this.#watch.open();
  }

  /** What belongs to somebody else, and is to be as it was after every attack. */
  async #makeBystander(): Promise<void> {
    const name = bystanderOf(this.#site.gatewayName);
    const Labels = { 'pratique.gateway': name };
    const pulled = await this.docker.pull(this.image);
    await new Promise<void>((resolve, reject) => this.docker.modem.followProgress(pulled, (error) => (error === null ? resolve() : reject(error))));
    await this.docker.createVolume({ Name: name, Labels });
    const container = await this.docker.createContainer({ name, Image: this.image, Cmd: ['sleep', '1000000'], Labels, Healthcheck: { Test: ['NONE'] }, HostConfig: { NetworkMode: 'none', Binds: [`${name}:/data`] } });
    await container.start();
  }

  /** The image with the tools, as engines call it. */
  get image(): string {
    return `${this.#site.registry.host}/root/attack:1`;
  }

  /** The look at the host before and after. */
  get watch(): HostWatch {
    if (this.#watch === undefined) throw new Error('the site is not open');
    return this.#watch;
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

  /** Connections that have reached a server on the host since somebody has asked. */
  calls(): number {
    const calls = this.#calls;
    this.#calls = 0;
    return calls;
  }

  /** What the gateway has logged lately. */
  get log(): string {
    return this.#site.log;
  }

  async close(): Promise<void> {
    this.#watch?.close();
    const name = bystanderOf(this.#site.gatewayName);
    await this.docker.getContainer(name).remove({ force: true, v: true }).catch(() => undefined);
    await this.docker.getVolume(name).remove().catch(() => undefined);
    await this.#site.close();
    // last: it is what keeps a program alive that waits for the registry's end
    this.#listener.close();
  }
}
