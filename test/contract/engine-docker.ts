import { randomBytes } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { SystemClock } from '../../src/clock.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { engineSchema } from '../../src/engine/engine-config.ts';
import type { EngineRun, OutputSkipped } from '../../src/engine/engine.ts';
import type { Image } from '../../src/image/image.ts';
import type { PinnedTask } from '../../src/task/task.ts';
import { pushImage, type BuiltImage } from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';
import { judged } from './engine-image.ts';

/** How a job went, all of it in memory. */
export interface JobStory {
  readonly run: EngineRun;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly skipped: readonly OutputSkipped[];
}

/** The real engine and a registry of its own, for one test file; every name and label is new, and `stop` leaves nothing behind. */
export class DockerWorld {
  readonly gateway: string;
  readonly engine: DockerEngine;
  readonly registry: RegistryProcess;
  readonly docker = new Docker();
  #jobs = 0;

  private constructor(gateway: string, engine: DockerEngine, registry: RegistryProcess) {
    this.gateway = gateway;
    this.engine = engine;
    this.registry = registry;
  }

  static async start(settings: Record<string, unknown> = {}): Promise<DockerWorld> {
    const gateway = `test-${randomBytes(4).toString('hex')}`;
    const engine = new DockerEngine({ config: engineSchema.parse(settings), gateway, clock: new SystemClock(), environment: process.env });
    await engine.describe().catch((cause: unknown) => {
      throw new Error('no Docker Engine answers here; install and start it: sudo apt-get install -y docker.io && sudo systemctl start docker', { cause });
    });
    return new DockerWorld(gateway, engine, await startRegistry());
  }

  /** Pushes the image and tells what a judge would have read. */
  async publish(built: BuiltImage): Promise<Image> {
    await pushImage(this.registry.host, this.gateway, built.manifest.digest, built);
    return judged(built, this.registry.host, this.gateway);
  }

  containerName(jobId: string): string {
    return `pratique-${this.gateway}.${jobId}`;
  }

  newJob(): string {
    return `job${String(++this.#jobs)}`;
  }

  /** Runs the task to its end and removes every trace of it. */
  async run(task: PinnedTask, signal: AbortSignal = new AbortController().signal): Promise<JobStory> {
    const jobId = this.newJob();
    const { engine } = this;
    await engine.ensureImage(task.image, () => undefined, signal);
    try {
      await engine.create(jobId, task, signal);
      await engine.start(jobId, signal);
      const run = await engine.wait(jobId, signal);
      const [stdout, stderr] = await Promise.all([engine.logs(jobId, 'stdout', { follow: false }), engine.logs(jobId, 'stderr', { follow: false })]);
      const files: Record<string, Buffer> = {};
      const skipped: OutputSkipped[] = [];
      const story = { run, stdout: await text(stdout), stderr: await text(stderr), files, skipped };
      for await (const entry of engine.outputs(jobId, signal)) {
        if ('content' in entry) files[entry.path] = await buffer(entry.content);
        else skipped.push(entry);
      }
      return story;
    } finally {
      await engine.remove(jobId);
    }
  }

  async stop(): Promise<void> {
    for (const run of await this.engine.list()) await this.engine.remove(run.jobId);
    const prefix = `${this.registry.host}/`;
    for (const image of await this.docker.listImages()) {
      const ours = (image.RepoDigests ?? []).filter((name) => name.startsWith(prefix));
      for (const name of ours) await this.docker.getImage(name).remove().catch(() => undefined);
    }
    await this.engine.close();
    await this.registry.stop();
  }
}
