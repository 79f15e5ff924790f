import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BuiltImage, buildImage, pushImage } from '../support/oci-image.ts';
import { FaultGateway } from './fault-gateway.ts';
import { FaultRegistry } from './fault-registry.ts';
import { fill } from './full-disk.ts';
import { OwnEngine } from './own-engine.ts';
import { PROGRAM } from './plan.ts';
import type { Random } from './random.ts';

/** Different images, so that there is always something left to pull. */
const IMAGES = 40;

/** Bytes of the file system that holds store and results. */
const DISK = 192 * 2 ** 20;

/** Everything that faults are done to: an engine, a registry, a small disk, and gateways on one store. */
export class FaultSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'pratique-faults-'));
  readonly data = join(this.folder, 'data');
  readonly program = join(this.folder, 'program');
  readonly log = join(this.folder, 'gateway.log');
  readonly engine = new OwnEngine();
  #registry: FaultRegistry | undefined;
  gateway!: FaultGateway;
  /** A second one, by mistake, on the same store. */
  second!: FaultGateway;
  /** References of images that the policy accepts. */
  images: readonly string[] = [];
  /** Whether the data folder is a file system of its own, which can be filled. */
  smallDisk = false;
  /** Whether there are gateways. */
  opened = false;

  async open(random: Random): Promise<void> {
    mkdirSync(this.data);
    this.#copyProgram();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(DISK)},mode=700`, 'pratique-faults', this.data], { stdio: 'pipe' });
      this.smallDisk = true;
    } catch {
      // not permitted here: the campaign goes without a full disk
    }
    await this.engine.start(false);
    this.#registry = await FaultRegistry.start();
    this.images = await this.#push(random);
    const ports = [await freePort(), await freePort()];
    const config = this.#configure();
    [this.gateway, this.second] = ports.map((port) => new FaultGateway(`http://127.0.0.1:${String(port)}`, config, this.log, this.program)) as [FaultGateway, FaultGateway];
    this.opened = true;
  }

  get registry(): FaultRegistry {
    if (this.#registry === undefined) throw new Error('the site is not open');
    return this.#registry;
  }

  /** Fills the disk to the last byte; resolves with what frees it again. */
  fillDisk(): () => void {
    return fill(join(this.data, 'ballast'));
  }

  /** Puts right what a fault that failed half-way may have left. */
  async restore(): Promise<void> {
    this.registry.weather = 'fair';
    this.engine.freeze(false);
    await this.engine.start(false);
    for (const gateway of [this.gateway, this.second]) gateway.tell({ die: null, clockOffset: 0 });
    this.gateway.signal('SIGCONT');
    await this.second.end('SIGKILL');
    await this.gateway.start();
  }

  /** The last lines of the gateways' log, and those about jobs that problems name. */
  tail(problems: readonly string[]): string {
    const lines = existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n') : [];
    return [...lines.filter((line) => problems.some((problem) => idsIn(problem).some((id) => line.includes(id)))).slice(-60), '…', ...lines.slice(-40)].join('\n');
  }

  async close(): Promise<void> {
    if (this.opened) await Promise.all([this.gateway.end('SIGKILL'), this.second.end('SIGKILL')]);
    await this.engine.dispose();
    await this.#registry?.stop();
    if (this.smallDisk) execFileSync('umount', [this.data]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The program as it is now: whoever edits it meanwhile is no fault of this campaign. */
  #copyProgram(): void {
    for (const part of ['src', 'test/faults', 'package.json', 'tsconfig.json']) cpSync(part, join(this.program, part), { recursive: true });
    try {
      // second names of the same files: at once, and whoever installs packages meanwhile does not take them away
      execFileSync('cp', ['-al', resolve('node_modules'), join(this.program, 'node_modules')], { stdio: 'ignore' });
    } catch {
      symlinkSync(resolve('node_modules'), join(this.program, 'node_modules'));
    }
  }

  async #push(random: Random): Promise<readonly string[]> {
    const base: BuiltImage = await buildImage({});
    await pushImage(this.registry.inside, 'base/busybox', '1', base);
    const references: string[] = [];
    for (let i = 0; i < IMAGES; i += 1) {
      const noise = Buffer.from(Array.from({ length: 20_000 }, () => random.int(0, 255)));
      const files = { '/main.sh': { content: PROGRAM, mode: 0o755 }, '/noise': noise };
      await pushImage(this.registry.inside, `job/work${String(i)}`, '1', await buildImage({ base, files, config: { Cmd: ['/main.sh'] } }));
      references.push(`${this.registry.host}/job/work${String(i)}:1`);
    }
    return references;
  }

  #configure(): string {
    const file = join(this.folder, 'pratique.yaml');
    writeFileSync(
      file,
      `data: ${this.data}
log: info
engine: { host: "unix://${this.engine.socket}", answerWithin: 10 }
disk: { keepFree: 8M }
registries: [{ host: "${this.registry.host}", insecure: true, internal: true }]
registryClient: { tagSeconds: 0 }
policy:
  bases: [{ name: busybox, image: "${this.registry.host}/base/busybox:1" }]
  rules: [{ name: built-on-busybox, images: ["${this.registry.host}/job/**"], base: [busybox] }]
jobs: { slots: 8, cores: 2, defaultCores: 0.1, defaultMemory: 32M, lease: 2s, grace: 1s, results: { bytes: 4M, files: 10 }, lifetime: { default: 90d, max: 90d }, images: { unused: 20s } }
`,
    );
    return file;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

function idsIn(text: string): readonly string[] {
  return text.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? [];
}
