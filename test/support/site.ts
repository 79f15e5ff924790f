import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { type BuiltImage, buildImage, pushImage } from './oci-image.ts';
import { type RegistryProcess, startRegistry } from './registry-process.ts';

/** A job's JSON document, as far as tests read it. */
export interface JobDocument {
  readonly jobId: string;
  readonly phase: string;
  readonly startTime: string | null;
  readonly endTime: string | null;
  readonly results: readonly { readonly id: string; readonly href: string; readonly size: number | null; readonly mimeType: string }[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly errorSummary: { readonly type: string; readonly message: string } | null;
  readonly jobInfo: Readonly<Record<string, unknown>> | null;
}

const OVER = ['COMPLETED', 'ERROR', 'ABORTED'];
const docker = new Docker();

/** A site as an operator sets it up: a registry, an approved base, the gateway in a process of its own. The engine is the machine's. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), 'pratique-site-'));
  /** Nobody else's containers have this label. */
  readonly gatewayName = `t${randomBytes(4).toString('hex')}`;
  registry!: RegistryProcess;
  base!: BuiltImage;
  url = '';
  #process: ChildProcess | undefined;
  #said = '';

  /** `settings`: more lines for pratique.yaml, after the rules; `registries`: more entries. */
  async open(settings = '', registries: readonly string[] = []): Promise<void> {
    this.registry = await startRegistry();
    this.base = await buildImage({});
    await pushImage(this.registry.host, 'base/busybox', '1', this.base);
    const port = await freePort();
    this.url = `http://127.0.0.1:${String(port)}`;
    writeFileSync(
      join(this.folder, 'pratique.yaml'),
      `listen: { port: ${String(port)} }
log: info
engine: { gateway: ${this.gatewayName} }
registries: [${[`{ host: "${this.registry.host}", insecure: true, internal: true }`, ...registries].join(', ')}]
registryClient: { tagSeconds: 0 }
policy:
  bases: [{ name: busybox, image: "${this.registry.host}/base/busybox:1" }]
  rules:
    - { name: built-on-busybox, images: ["${this.registry.host}/job/**"], base: [busybox] }
${settings}`,
    );
  }

  /** Pushes an image on the approved base whose command is this shell script; its reference. */
  async push(name: string, script: string, tag = '1', options: { readonly base?: BuiltImage } = {}): Promise<string> {
    const image = await buildImage({ base: options.base ?? this.base, files: { '/main.sh': { content: `#!/bin/sh\n${script}\n`, mode: 0o755 } }, config: { Cmd: ['/main.sh'] } });
    await pushImage(this.registry.host, `job/${name}`, tag, image);
    return `${this.registry.host}/job/${name}:${tag}`;
  }

  /** Starts the gateway; resolves when it answers. */
  async start(): Promise<void> {
    this.#said = '';
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'serve', '--config', join(this.folder, 'pratique.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => (this.#said = (this.#said + chunk.toString('utf8')).slice(-20_000)));
    this.#process = child;
    while (child.exitCode === null && child.signalCode === null) {
      if (await fetch(`${this.url}/availability`).then((response) => response.ok, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the gateway did not start:\n${this.#said}`);
  }

  /** What the gateway has logged since it was started. */
  get log(): string {
    return this.#said;
  }

  /** Ends the gateway's process; resolves when it is gone. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exited)[0];
  }

  async close(): Promise<void> {
    await this.end('SIGKILL');
    await this.#removeRemains();
    for (const { Id, RepoTags, RepoDigests } of await docker.listImages()) {
      if ([...(RepoTags ?? []), ...(RepoDigests ?? [])].some((name) => name.startsWith(`${this.registry.host}/`))) await docker.getImage(Id).remove({ force: true }).catch(() => undefined);
    }
    await this.registry.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The engine may still be making what the killed gateway has asked it for: looked at again until nothing is left. */
  async #removeRemains(): Promise<void> {
    for (let look = 0; look < 20 && (await this.remains()).length > 0; look += 1) {
      for (const filters of this.#filters()) {
        for (const { Id } of await docker.listContainers({ all: true, filters })) await docker.getContainer(Id).remove({ force: true, v: true }).catch(() => undefined);
        for (const { Name } of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(Name).remove().catch(() => undefined);
        for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove().catch(() => undefined);
        for (const { Id } of await docker.listImages({ filters })) await docker.getImage(Id).remove({ force: true }).catch(() => undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Containers, volumes, networks and images of this gateway on the engine. */
  async remains(): Promise<readonly string[]> {
    const found = this.#filters().map(async (filters) => {
      const containers = await docker.listContainers({ all: true, filters });
      const { Volumes } = await docker.listVolumes({ filters });
      const [networks, images] = [await docker.listNetworks({ filters }), await docker.listImages({ filters })];
      return [...containers.flatMap(({ Names }) => Names), ...[...Volumes, ...networks].map(({ Name }) => Name), ...images.map(({ Id }) => Id)];
    });
    return (await Promise.all(found)).flat();
  }

  /** Of single containers, and of projects. */
  #filters(): readonly { readonly label: string[] }[] {
    return [this.gatewayName, `${this.gatewayName}.p`].map((name) => ({ label: [`pratique.gateway=${name}`] }));
  }

  /** The URL of a new job. Throws where none was made. */
  async submit(parameters: Readonly<Record<string, string>>, list = 'docker'): Promise<string> {
    const response = await this.post(`/uws/${list}`, parameters);
    const job = response.headers.get('location');
    if (response.status !== 303 || job === null) throw new Error(`no job: ${String(response.status)} ${await response.text()}`);
    return job;
  }

  post(path: string, parameters: Readonly<Record<string, string>>): Promise<Response> {
    return fetch(new URL(path, this.url), { method: 'POST', body: new URLSearchParams(parameters), redirect: 'manual' });
  }

  async job(url: string): Promise<JobDocument> {
    const response = await fetch(url, { headers: { Accept: 'application/json' } });
    if (!response.ok) throw new Error(`${url}: ${String(response.status)} ${await response.text()}`);
    return (await response.json()) as JobDocument;
  }

  /** The job once it is in `phase`, or over. */
  async reaches(url: string, phase: string): Promise<JobDocument> {
    for (let now = await this.job(url); ; now = await this.job(`${url}?WAIT=30&PHASE=${now.phase}`)) {
      if (now.phase === phase || OVER.includes(now.phase)) return now;
    }
  }

  ended(url: string): Promise<JobDocument> {
    return this.reaches(url, 'over');
  }

  /** A result as text. */
  async result(url: string, id: string): Promise<string> {
    const response = await fetch(`${url}/results/${id}`);
    if (!response.ok) throw new Error(`${id}: ${String(response.status)}`);
    return response.text();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
