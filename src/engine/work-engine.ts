import type { Duplex, Readable } from 'node:stream';
import type { Instant } from '../clock.ts';
import type { Image } from '../image/image.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { Endpoint } from '../task/endpoints.ts';
import { isProjectJob, type PinnedWork } from '../task/project.ts';
import type { ContainerUse } from '../task/usage.ts';
import type { ContainerEngine } from './container-engine.ts';
import type { ActOptions, CreateOptions, Engine, EngineDescription, EngineRun, ListedRun, LogOptions, OutputFile, OutputSkipped, PullProgress, WaitOptions } from './engine.ts';
import type { ProjectEngine } from './project-engine.ts';

/** An engine for all jobs, out of one for single containers and one for projects. Whose a job is, its id says. */
export class WorkEngine implements Engine {
  readonly #containers: ContainerEngine;
  readonly #projects: ProjectEngine;

  constructor(containers: ContainerEngine, projects: ProjectEngine) {
    this.#containers = containers;
    this.#projects = projects;
  }

  describe(signal?: AbortSignal): Promise<EngineDescription> {
    return this.#containers.describe(signal);
  }

  time(signal?: AbortSignal): Promise<Instant> {
    return this.#containers.time(signal);
  }

  hasImage(image: Image, signal: AbortSignal): Promise<boolean> {
    return this.#containers.hasImage(image, signal);
  }

  ensureImage(image: Image, onProgress: (progress: PullProgress) => void, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
    return this.#containers.ensureImage(image, onProgress, signal, login);
  }

  imageSizes(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#containers.imageSizes(signal);
  }

  removeImage(name: string, signal: AbortSignal): Promise<boolean> {
    return this.#containers.removeImage(name, signal);
  }

  async create(jobId: string, work: PinnedWork, signal: AbortSignal, options?: CreateOptions): Promise<void> {
    // of the other kind it would never be found again
    if ((work.type === 'project') !== isProjectJob(jobId)) throw new Error(`a ${work.type} under the id ${jobId}`);
    await (work.type === 'project' ? this.#projects.create(jobId, work, signal, options) : this.#containers.create(jobId, work, signal, options));
  }

  start(jobId: string, signal: AbortSignal, secrets?: ReadonlyMap<string, string>, options?: ActOptions): Promise<EngineRun> {
    return this.#of(jobId).start(jobId, signal, secrets, options);
  }

  mayStartAgain(jobId: string): Promise<boolean> {
    return this.#of(jobId).mayStartAgain(jobId);
  }

  wait(jobId: string, signal: AbortSignal, options?: WaitOptions): Promise<EngineRun> {
    return this.#of(jobId).wait(jobId, signal, options);
  }

  inspect(jobId: string, signal?: AbortSignal): Promise<EngineRun | undefined> {
    return this.#of(jobId).inspect(jobId, signal);
  }

  stop(jobId: string, graceSeconds: number): Promise<void> {
    return this.#of(jobId).stop(jobId, graceSeconds);
  }

  logs(jobId: string, stream: 'stdout' | 'stderr', options: LogOptions): Promise<Readable> {
    return this.#of(jobId).logs(jobId, stream, options);
  }

  connect(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
    return this.#of(jobId).connect(jobId, endpoint, signal);
  }

  listens(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
    return this.#of(jobId).listens(jobId, endpoint, signal);
  }

  progress(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#of(jobId).progress(jobId, signal);
  }

  usage(jobId: string, signal: AbortSignal): Promise<ReadonlyMap<string, ContainerUse>> {
    return this.#of(jobId).usage(jobId, signal);
  }

  outputs(jobId: string, signal: AbortSignal): AsyncIterable<OutputFile | OutputSkipped> {
    return this.#of(jobId).outputs(jobId, signal);
  }

  remove(jobId: string): Promise<void> {
    return this.#of(jobId).remove(jobId);
  }

  /** One after the other: an engine counts for one at a time. */
  async diskUse(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const containers = await this.#containers.diskUse(signal);
    return new Map([...containers, ...(await this.#projects.diskUse(signal))]);
  }

  async list(signal?: AbortSignal): Promise<readonly ListedRun[]> {
    return (await Promise.all([this.#containers.list(signal), this.#projects.list(signal)])).flat();
  }

  async close(): Promise<void> {
    await Promise.all([this.#containers.close(), this.#projects.close()]);
  }

  #of(jobId: string): Omit<ProjectEngine, 'create'> {
    return isProjectJob(jobId) ? this.#projects : this.#containers;
  }
}
