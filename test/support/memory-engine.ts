import { connect } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import type { Clock, Instant } from '../../src/clock.ts';
import { EngineRefused } from '../../src/engine/engine.ts';
import type { ActOptions, CreateOptions, WaitOptions, Engine, EngineDescription, EngineRun, ListedRun, LogOptions, OutputFile, OutputSkipped, PullProgress } from '../../src/engine/engine.ts';
import { GatewayError } from '../../src/errors.ts';
import type { Digest } from '../../src/image/digest.ts';
import { type Image, pinnedName } from '../../src/image/image.ts';
import type { RegistryLogin } from '../../src/image/registry-logins.ts';
import type { Endpoint } from '../../src/task/endpoints.ts';
import { imagesOf, type PinnedWork } from '../../src/task/project.ts';
import type { PinnedTask } from '../../src/task/task.ts';
import type { ContainerUse } from '../../src/task/usage.ts';
import { MemoryContainer } from './memory-container.ts';
import type { Outcome } from './memory-container.ts';

export type { Outcome } from './memory-container.ts';

/** How a job's container behaves. Everything absent: it runs until the test says `finish`. */
export interface Behaviour extends Outcome {
  /** Ends with this outcome as soon as it has started. */
  readonly autoFinish?: boolean;
  /** Text on stdout as soon as it runs; `stdout` comes at its end. */
  readonly firstWords?: string;
  /** Files below /output that are there from the start. */
  readonly firstFiles?: Readonly<Record<string, string>>;
  /** Ignores SIGTERM: a stop ends it only when the grace time is over. */
  readonly ignoresStop?: boolean;
  readonly refuseCreate?: EngineRefused;
  /** As an engine does that cannot run the image's program: the container is there and never ran. */
  readonly refuseStart?: EngineRefused;
}

export type EngineCall = Exclude<keyof Engine, 'close'>;

const DESCRIPTION: EngineDescription = {
  name: 'memory', version: '1', platform: { os: 'linux', architecture: 'amd64', variant: '' }, cores: 2, memory: 8 * 2 ** 30, warnings: [],
};

/** An Engine that tests drive by hand: nothing happens by the passing of time, except a stop's grace on the given clock. */
export class MemoryEngine implements Engine {
  readonly #clock: Clock;
  readonly #containers = new Map<string, MemoryContainer>();
  readonly #images = new Set<Digest>();
  readonly #names = new Map<string, number>();
  readonly #imageOf = new Map<string, Digest>();
  readonly #behaviours = new Map<string, Behaviour>();
  #behaviour: (jobId: string, task: PinnedTask) => Behaviour;
  readonly #plans = new Map<string, Behaviour>();
  readonly #starts = new Map<string, number>();
  readonly #askers = new Map<string, () => Promise<void>>();
  readonly #failures: { call: EngineCall; error: Error; after: boolean }[] = [];
  readonly #refusedImages = new Map<Digest | '*', EngineRefused>();
  readonly #unremovable = new Map<string, Error>();
  readonly #watchers = new Set<() => void>();
  readonly #held = new Map<EngineCall, Promise<void>>();
  #pullGate: Promise<void> = Promise.resolve();
  #outage: Error | undefined;
  #outages = 0;
  #restarted = false;
  #lastOutage: Error | undefined;
  /** Every call that was made, in order. */
  readonly calls: { readonly call: EngineCall; readonly jobId?: string }[] = [];
  /** The secrets with which `start` and `wait` were called. */
  readonly secretsGiven: { readonly call: 'start' | 'wait'; readonly jobId: string; readonly secrets: ReadonlyMap<string, string> | undefined }[] = [];
  /** Of each `create`, whether what a killed engine had kept half-made might have been made anew. */
  readonly makingAnew: boolean[] = [];
  /** The progress that a pull of an image not yet present reports. */
  pullProgress: readonly PullProgress[] = [{ current: 50, total: 100 }, { current: 100, total: 100 }];
  description: EngineDescription = DESCRIPTION;
  closed = 0;
  /** What happens between the call of a start and what it does. */
  beforeStart: (jobId: string) => Promise<void> = async () => undefined;
  /** Milliseconds by which the engine's own clock is ahead; to be set before anything runs. */
  clockAhead = 0;

  constructor(clock: Clock, options: Behaviour = {}) {
    this.#clock = clock;
    this.#behaviour = () => options;
  }

  // what tests say

  /** How the containers (of a project, all as one) of all jobs without an own plan behave. */
  behave(behaviour: Behaviour | ((jobId: string, task: PinnedTask) => Behaviour)): void {
    this.#behaviour = typeof behaviour === 'function' ? behaviour : () => behaviour;
  }

  /** How this job's container will behave. */
  plan(jobId: string, behaviour: Behaviour): void {
    this.#plans.set(jobId, behaviour);
  }

  /** Ends a running container: as its behaviour says, `outcome` on top. Throws where there is none, so that a test cannot finish what does not run. */
  finish(jobId: string, outcome: Outcome = {}): void {
    const container = this.#containers.get(jobId);
    if (container?.state !== 'running') throw new Error(`no running container of ${jobId}`);
    container.finish({ ...this.#behaviours.get(jobId), ...outcome });
  }

  /** A service of the job's has ended and was started once more. */
  startOnceMore(jobId: string): void {
    this.#present(jobId).startOnceMore();
  }

  /** Lets a running container write. */
  write(jobId: string, stream: 'stdout' | 'stderr', text: string): void {
    const container = this.#containers.get(jobId);
    if (container?.state !== 'running') throw new Error(`no running container of ${jobId}`);
    container.write(stream, text);
  }

  /** Lets a running container leave a file below /output. */
  leave(jobId: string, path: string, text: string): void {
    const container = this.#containers.get(jobId);
    if (container?.state !== 'running') throw new Error(`no running container of ${jobId}`);
    container.files[path] = text;
  }

  /** What a running container has used since its start. */
  use(jobId: string, use: ContainerUse): void {
    const container = this.#containers.get(jobId);
    if (container?.state !== 'running') throw new Error(`no running container of ${jobId}`);
    container.use = use;
  }

  /** The next `call` fails with `error` (default EngineUnavailable); with `after`, it does its work and the answer is lost. */
  failNext(call: EngineCall, options: { readonly error?: Error; readonly after?: boolean } = {}): void {
    this.#failures.push({ call, error: options.error ?? unavailable(), after: options.after ?? false });
  }

  /** The engine stops answering: every call fails and every pending wait is broken; containers go on. */
  disconnect(error: Error = unavailable()): void {
    this.#outage = error;
    this.#outages += 1;
    this.#lastOutage = error;
    for (const container of this.#containers.values()) container.wake();
  }

  reconnect(): void {
    this.#outage = undefined;
  }

  /** The engine was killed and started again: it has forgotten what it was in the middle of. */
  restart(): void {
    this.#restarted = true;
    this.reconnect();
  }

  /** With which images were pulled. */
  readonly logins: string[] = [];

  /** `ensureImage` refuses this image (by manifest digest), or every one. */
  refuseImage(error: EngineRefused, manifestDigest: Digest | '*' = '*'): void {
    this.#refusedImages.set(manifestDigest, error);
  }

  /** The job's things cannot be removed; undefined = they can again. */
  refuseRemoval(jobId: string, error: Error | undefined): void {
    if (error) this.#unremovable.set(jobId, error);
    else this.#unremovable.delete(jobId);
  }

  /** Pulls stand still until the returned function is called. */
  holdPulls(): () => void {
    let release: () => void = () => undefined;
    this.#pullGate = new Promise((resolve) => { release = resolve; });
    return release;
  }

  /** The next such call stands still, its work not done yet, until the returned function is called. */
  hold(call: EngineCall): () => void {
    let release: () => void = () => undefined;
    this.#held.set(call, new Promise((resolve) => { release = resolve; }));
    return release;
  }

  /** An operator has pruned the engine's images. */
  forgetImages(): void {
    this.#images.clear();
    this.#names.clear();
  }

  /** An operator (or nobody knows who) has removed the container behind the gateway's back. */
  lose(jobId: string): void {
    this.#containers.get(jobId)?.remove();
    this.#containers.delete(jobId);
  }

  /** Asks as the latest `wait` for the job does before a side effect. */
  async mayAct(jobId: string): Promise<void> {
    const ask = this.#askers.get(jobId);
    if (ask === undefined) throw new Error(`nobody waits for ${jobId}`);
    await ask();
  }

  /** How often the job's container was started, removed ones included. */
  starts(jobId: string): number {
    return this.#starts.get(jobId) ?? 0;
  }

  /** Jobs that have a container now. */
  jobs(): readonly string[] {
    return [...this.#containers.keys()];
  }

  /** Resolves when `call` has been made (for this job), be it in the past. */
  async whenCalled(call: EngineCall, jobId?: string): Promise<void> {
    await this.#until(() => this.calls.some((made) => made.call === call && (jobId === undefined || made.jobId === jobId)));
  }

  /** Resolves when the job's container runs or is over. */
  async whenStarted(jobId: string): Promise<void> {
    await this.#until(() => this.starts(jobId) > 0);
  }

  // the port

  async describe(): Promise<EngineDescription> {
    return this.#do('describe', undefined, undefined, () => this.description);
  }

  async time(): Promise<Instant> {
    return this.#do('time', undefined, undefined, () => this.#clock.now() + this.clockAhead);
  }

  async hasImage(image: Image, signal: AbortSignal): Promise<boolean> {
    return this.#do('hasImage', undefined, signal, () => this.#images.has(image.manifestDigest) && !this.#refusedImages.has(image.manifestDigest) && !this.#refusedImages.has('*'));
  }

  async ensureImage(image: Image, onProgress: (progress: PullProgress) => void, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
    if (login !== undefined) this.logins.push(`${login.username}:${login.password}`);
    await this.#do('ensureImage', undefined, signal, async () => {
      const refused = this.#refusedImages.get(image.manifestDigest) ?? this.#refusedImages.get('*');
      if (refused) throw refused;
      if (this.#images.has(image.manifestDigest)) return;
      const [first, ...rest] = this.pullProgress;
      if (first) onProgress(first);
      await abortable(this.#pullGate, signal);
      rest.forEach(onProgress);
      this.#images.add(image.manifestDigest);
      this.#names.set(pinnedName(image), image.size);
    });
  }

  async imageSizes(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#do('imageSizes', undefined, signal, () => new Map(this.#names));
  }

  async removeImage(name: string, signal: AbortSignal): Promise<boolean> {
    return this.#do('removeImage', undefined, signal, () => {
      const digest = name.slice(name.indexOf('@') + 1) as Digest;
      if ([...this.#containers.keys()].some((jobId) => this.#imageOf.get(jobId) === digest)) return false;
      this.#names.delete(name);
      this.#images.delete(digest);
      return true;
    });
  }

  async create(jobId: string, work: PinnedWork, signal: AbortSignal, { mayMakeAnew }: Partial<CreateOptions> = {}): Promise<void> {
    this.makingAnew.push((await mayMakeAnew?.()) ?? false);
    await this.#do('create', jobId, signal, () => {
      if (this.#containers.has(jobId)) return;
      // all services of a project are one container here
      const task = work.type === 'container' ? work : work.services[0]?.task;
      if (task === undefined) throw new Error('a project without services');
      const behaviour = this.#plans.get(jobId) ?? this.#behaviour(jobId, task);
      if (behaviour.refuseCreate) throw behaviour.refuseCreate;
      if (!imagesOf(work).every(({ manifestDigest }) => this.#images.has(manifestDigest))) throw new EngineRefused('the image is not present', { temporary: true });
      this.#behaviours.set(jobId, behaviour);
      this.#imageOf.set(jobId, task.image.manifestDigest);
      this.#containers.set(jobId, new MemoryContainer(jobId, { ...this.#clock, now: () => this.#clock.now() + this.clockAhead, monotonic: () => this.#clock.monotonic(), sleep: (ms, signal) => this.#clock.sleep(ms, signal) }));
    });
  }

  async start(jobId: string, signal: AbortSignal, secrets?: ReadonlyMap<string, string>, { mayAct }: ActOptions = {}): Promise<EngineRun> {
    this.secretsGiven.push({ call: 'start', jobId, secrets });
    return this.#do('start', jobId, signal, async () => {
      await this.beforeStart(jobId);
      const container = this.#present(jobId);
      const before = container.run();
      if (before.exit && before.startedAt === undefined) throw new EngineRefused(before.exit.error ?? 'it could not be started');
      if (before.state !== 'created') {
        if ((secrets?.size ?? 0) === container.secrets) return before;
        container.finish({ code: 137 });
        throw new EngineRefused('it does not have its secrets', { temporary: true });
      }
      if (mayAct) await mayAct();
      if (container.removed) throw gone();
      // one that is over would run again, which the container takes for the test's failure
      const now = container.run();
      if (now.state === 'running') return now;
      const behaviour = this.#behaviours.get(jobId) ?? {};
      if (behaviour.refuseStart) {
        container.finish({ code: 127, error: behaviour.refuseStart.message });
        throw behaviour.refuseStart;
      }
      this.#starts.set(jobId, this.starts(jobId) + 1);
      container.start();
      container.secrets = secrets?.size ?? 0;
      if (behaviour.firstWords !== undefined) container.write('stdout', behaviour.firstWords);
      Object.assign(container.files, behaviour.firstFiles);
      const run = container.run();
      if (behaviour.autoFinish) container.finish(behaviour);
      return run;
    });
  }

  async mayStartAgain(jobId: string): Promise<boolean> {
    return this.#do('mayStartAgain', jobId, undefined, () => {
      if (this.#containers.get(jobId)?.state !== 'created') return true;
      if (!this.#restarted) this.lose(jobId);
      return !this.#restarted;
    });
  }

  async wait(jobId: string, signal: AbortSignal, options: WaitOptions = {}): Promise<EngineRun> {
    this.secretsGiven.push({ call: 'wait', jobId, secrets: options.secrets });
    return this.#do('wait', jobId, signal, async () => {
      this.#askers.set(jobId, options.mayAct ?? (async () => undefined));
      const container = this.#present(jobId);
      if (container.state === 'created') throw new EngineRefused('the container was never started');
      const outages = this.#outages;
      while (container.state !== 'exited' && !container.removed) {
        await container.changed(signal);
        if (this.#outages > outages) throw this.#lastOutage ?? unavailable();
      }
      if (container.state !== 'exited') throw gone();
      return container.run();
    });
  }

  async inspect(jobId: string): Promise<EngineRun | undefined> {
    return this.#do('inspect', jobId, undefined, () => this.#containers.get(jobId)?.run());
  }

  async stop(jobId: string, graceSeconds: number): Promise<void> {
    await this.#do('stop', jobId, undefined, async () => {
      const container = this.#containers.get(jobId);
      if (container?.state !== 'running') return;
      if (!this.#behaviours.get(jobId)?.ignoresStop) return container.finish({ ...this.#behaviours.get(jobId), code: 143 });
      await this.#clock.sleep(graceSeconds * 1000);
      container.finish({ ...this.#behaviours.get(jobId), code: 137 });
    });
  }

  async logs(jobId: string, stream: 'stdout' | 'stderr', options: LogOptions): Promise<Readable> {
    return this.#do('logs', jobId, options.signal, () => this.#present(jobId).read(stream, options.follow, options.signal));
  }

  /** Where the ports of running jobs really are, on this machine. */
  readonly listening = new Map<number, number>();

  async connect(jobId: string, { port }: Endpoint, signal: AbortSignal): Promise<Duplex> {
    return this.#do('connect', jobId, signal, () => {
      if (this.#containers.get(jobId)?.state !== 'running') throw new EngineRefused('it does not run', { temporary: true });
      return connect({ host: '127.0.0.1', port: this.listening.get(port) ?? 1 });
    });
  }

  async listens(jobId: string, { port }: Endpoint, signal: AbortSignal): Promise<boolean> {
    return this.#do('listens', jobId, signal, () => this.listening.has(port));
  }

  async progress(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#do('progress', jobId, signal, () => this.#containers.get(jobId)?.files['.uws/progress']?.toString().trimEnd().split('\n').at(-1));
  }

  async usage(jobId: string, signal: AbortSignal): Promise<ReadonlyMap<string, ContainerUse>> {
    return this.#do('usage', jobId, signal, () => {
      const container = this.#containers.get(jobId);
      return new Map(container?.state === 'running' ? [[jobId, container.use]] : []);
    });
  }

  async *outputs(jobId: string, signal: AbortSignal): AsyncGenerator<OutputFile | OutputSkipped> {
    const container = await this.#do('outputs', jobId, signal, () => this.#present(jobId));
    yield* container.skipped;
    for (const [path, text] of Object.entries(container.files)) {
      signal.throwIfAborted();
      const bytes = Buffer.from(text);
      yield { path, size: bytes.length, content: Readable.from(bytes.length > 0 ? [bytes] : [], { objectMode: false }) };
    }
  }

  async diskUse(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const length = (files: Record<string, string | Uint8Array>): number => Object.values(files).reduce((sum, content) => sum + Buffer.from(content).length, 0);
    return this.#do('diskUse', undefined, signal, () => new Map([...this.#containers].map(([jobId, { files }]) => [jobId, length(files)])));
  }

  async remove(jobId: string): Promise<void> {
    await this.#do('remove', jobId, undefined, () => {
      const refused = this.#unremovable.get(jobId);
      if (refused) throw refused;
      this.lose(jobId);
    });
  }

  async list(): Promise<readonly ListedRun[]> {
    return this.#do('list', undefined, undefined, () => [...this.#containers.values()].map((container) => container.run()));
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  async #do<T>(call: EngineCall, jobId: string | undefined, signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    this.calls.push(jobId === undefined ? { call } : { call, jobId });
    this.#told();
    try {
      const held = this.#held.get(call);
      this.#held.delete(call);
      if (held) await held;
      if (this.#outage) throw this.#outage;
      const index = this.#failures.findIndex((failure) => failure.call === call);
      const failure = index < 0 ? undefined : this.#failures.splice(index, 1)[0];
      if (failure && !failure.after) throw failure.error;
      const value = await work();
      if (failure) throw failure.error;
      return value;
    } finally {
      this.#told();
    }
  }

  #told(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #present(jobId: string): MemoryContainer {
    const container = this.#containers.get(jobId);
    if (!container) throw gone();
    return container;
  }

  async #until(holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const watcher = (): void => {
        if (!holds()) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
    });
  }
}

function unavailable(): GatewayError {
  return new GatewayError('EngineUnavailable', 'the container engine does not answer');
}

function gone(): EngineRefused {
  return new EngineRefused('the container of this job is gone');
}

async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
