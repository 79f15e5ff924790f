import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, pushImage } from '../../test/support/oci-image.ts';
import { type RegistryProcess, startRegistry } from '../../test/support/registry-process.ts';
import { demoGateway, removeRemains } from '../demo/cleanup.ts';
import { startGatewayProcess } from '../demo/gateway-process.ts';

/** A gateway in a process of its own, with a registry of its own, to be measured from outside. */
export class BenchSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'pratique-bench-'));
  registry!: RegistryProcess;
  url = '';
  /** An image that the policy accepts; prints one line. */
  image = '';
  #gateway: Awaited<ReturnType<typeof startGatewayProcess>> | undefined;
  readonly #children: ChildProcess[] = [];

  async start(slots: number): Promise<void> {
    this.registry = await startRegistry();
    const base = await buildImage({});
    await pushImage(this.registry.host, 'base/busybox', '1', base);
    await this.push('job/echo', 'echo');
    this.image = `${this.registry.host}/job/echo:1`;
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    this.url = `http://127.0.0.1:${String(port)}`;
    const config = join(this.folder, 'pratique.yaml');
    writeFileSync(
      config,
      `listen: { port: ${String(port)} }
log: error
engine: { gateway: ${demoGateway(port)} }
wait: { each: 20000 }
jobs: { slots: ${String(slots)}, defaultCores: 0.2, defaultMemory: 64M, lifetime: { default: 1d, max: 1d } }
registries: [{ host: "${this.registry.host}", insecure: true, internal: true }]
policy:
  bases: [{ name: busybox, image: "${this.registry.host}/base/busybox:1" }]
  rules: [{ name: bench, images: ["${this.registry.host}/job/**"], base: [busybox] }]
`,
    );
    this.#gateway = await startGatewayProcess(config, this.url);
  }

  /** Ends the gateway and starts it anew on what it has stored. */
  async restart(): Promise<void> {
    await this.#gateway?.stop();
    this.#gateway = await startGatewayProcess(join(this.folder, 'pratique.yaml'), this.url);
  }

  /** One more image on the approved base, unlike all others. */
  async push(repository: string, mark: string): Promise<string> {
    const image = await buildImage({ files: { '/mark': mark }, config: { Cmd: ['echo', 'hello'] } });
    await pushImage(this.registry.host, repository, '1', image);
    return `${this.registry.host}/${repository}:1`;
  }

  /** A bare Koa in a process of its own that answers with the same bytes as `url` does now. */
  async bareKoa(url: string): Promise<string> {
    const response = await fetch(url);
    const file = join(this.folder, `answer-${String(this.#children.length)}`);
    writeFileSync(file, Buffer.from(await response.arrayBuffer()));
    const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/bench/bare-koa.ts', file, response.headers.get('content-type') ?? ''], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    return `http://127.0.0.1:${port.toString('utf8').trim()}/`;
  }

  /** Resident memory of the gateway's process (bytes). */
  memory(): number {
    const status = readFileSync(`/proc/${String(this.#gateway?.pid)}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill();
    await this.#gateway?.stop();
    await removeRemains(this.registry.host, Number(new URL(this.url).port));
    await this.registry.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
