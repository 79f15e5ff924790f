import type { Agent } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import type { Clock, Instant } from '../clock.ts';
import type { Image } from '../image/image.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { Endpoint } from '../task/endpoints.ts';
import type { PinnedTask } from '../task/task.ts';
import type { ContainerUse } from '../task/usage.ts';
import { BlankVolume, hasBlankOutput } from './docker-blank-volume.ts';
import { DockerCalls } from './docker-call.ts';
import { dockerConnection } from './docker-connection.ts';
import { ContainerCreation } from './docker-creation.ts';
import { describeEngine, engineTime } from './docker-description.ts';
import { couldNotStart, DockerStatusError, EngineLate, gone, refusal, translated, withRoom } from './docker-errors.ts';
import { parseContainer, runOf, type InspectedContainer } from './docker-inspect.ts';
import { diskUse } from './docker-disk-use.ts';
import { exitWithMemory, removeUnstarted } from './docker-events.ts';
import { DockerImages } from './docker-images.ts';
import { JobNetworks } from './docker-job-network.ts';
import { jobsOf } from './docker-jobs.ts';
import { listRuns } from './docker-list.ts';
import { JobRelays, type Reached } from './docker-relay.ts';
import { demultiplexed } from './docker-logs.ts';
import { type JobNames, labelsOf, namesOf, relayOf, secretsPlaceOf } from './docker-names.ts';
import { SecretDelivery, ownFiles } from './docker-secrets.ts';
import { outputFiles } from './docker-output.ts';
import { progressOf } from './docker-progress.ts';
import { type DockerPreflight, preflightRefusal } from './docker-preflight.ts';
import type { PullCredentials } from './docker-pull.ts';
import { usageOf } from './docker-usage.ts';
import type { EngineConfig } from './engine-config.ts';
import { EngineRefused } from './engine.ts';
import { relaxationRefusal } from './rule-needs.ts';
import type { ContainerEngine } from './container-engine.ts';
import type { ActOptions, CreateOptions, EngineDescription, EngineRun, ListedRun, LogOptions, OutputFile, OutputSkipped, PullProgress } from './engine.ts';

export interface DockerEngineOptions {
  readonly config: EngineConfig;
  /** Names this gateway's things on the engine: the same after every restart, and no other gateway's. */
  readonly gateway: string;
  readonly clock: Clock;
  /** DOCKER_HOST and its kin, for what `config` does not say. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Absent = every pull is anonymous. */
  readonly credentials?: PullCredentials;
  /** Says what the engine lacks of what is required of it; absent = nothing is required. */
  readonly preflight?: DockerPreflight;
}

const NOT_MODIFIED = 304;
const NOT_FOUND = 404;
const CONFLICT = 409;

/** A wait is asked again after this many milliseconds: a connection may die silently, and an engine that has just come back may never answer one (seen with 20.10 and live-restore). */
const WAIT_SLICE = 20_000;

/** Runs jobs on a Docker Engine (API 1.40 or later), every one in the sandbox of docs/sandbox.md. */
export class DockerEngine implements ContainerEngine {
  readonly #config: EngineConfig;
  readonly #gateway: string;
  readonly #agent: Agent;
  readonly #calls: DockerCalls;
  readonly #blank: BlankVolume;
  readonly #images: DockerImages;
  readonly #networks: JobNetworks;
  readonly #relays: JobRelays;
  readonly #creation: ContainerCreation;
  readonly #secrets: SecretDelivery;
  readonly #preflight: DockerPreflight | undefined;
  readonly #tidying = new Map<string, Promise<void>>();
  readonly #starting = new Map<string, Promise<EngineRun>>();

  /** Speaks to nobody yet. Throws an Error for the operator where the place of the engine is not usable. */
  constructor(options: DockerEngineOptions) {
    this.#config = options.config;
    this.#gateway = options.gateway;
    const connection = dockerConnection(options.config, options.environment ?? {});
    this.#agent = connection.options.agent;
    this.#calls = new DockerCalls(connection, options.clock, options.config.answerWithin * 1000);
    this.#blank = new BlankVolume(this.#calls, options.gateway);
    this.#images = new DockerImages(this.#calls, options.credentials ?? (() => undefined));
    this.#networks = new JobNetworks(this.#calls, options.gateway, options.config.networks);
    this.#relays = new JobRelays(this.#calls, options.config.relay);
    const parts = { calls: this.#calls, blank: this.#blank, images: this.#images, networks: this.#networks };
    this.#creation = new ContainerCreation({ ...parts, config: options.config, gateway: options.gateway, remove: (jobId) => this.remove(jobId) });
    this.#secrets = new SecretDelivery(this.#calls, this.#blank, options.clock);
    this.#preflight = options.preflight;
  }

  async describe(signal?: AbortSignal): Promise<EngineDescription> {
    const [info, version] = await translated('describe itself', () =>
      Promise.all([this.#calls.ask('GET', '/info', { signal }), this.#calls.ask('GET', '/version', { signal })]),
    );
    return describeEngine(info.body, version.body, this.#config.hostHasNoSwap);
  }

  async time(signal?: AbortSignal): Promise<Instant> {
    return engineTime((await translated('tell its time', () => this.#calls.ask('GET', '/info', { signal }))).body);
  }

  async hasImage(image: Image, signal: AbortSignal): Promise<boolean> {
    return translated('show the image', () => this.#images.has(image, signal));
  }

  async ensureImage(image: Image, onProgress: (progress: PullProgress) => void, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
    await this.#refuseLacking(signal);
    await withRoom(() => translated('show the image', () => this.#images.ensure(image, onProgress, signal, login)));
  }

  async imageSizes(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return translated('list its images', () => this.#images.sizes(signal));
  }

  async removeImage(name: string, signal: AbortSignal): Promise<boolean> {
    return translated('remove the image', () => this.#images.remove(name, signal));
  }

  async create(jobId: string, task: PinnedTask, signal: AbortSignal, options: CreateOptions = { secrets: false }): Promise<void> {
    const names = namesOf(this.#gateway, jobId);
    await this.#refuseLacking(signal, task);
    const imageId = await translated('show the image', () => this.#images.verifiedId(task.image, signal));
    signal.throwIfAborted();
    // From here on no signal: what has begun on the engine goes on there, and must be known to be there.
    await withRoom(() => translated('create the container', () => this.#creation.create(jobId, task, names, imageId, options)));
  }

  async start(jobId: string, signal: AbortSignal, secrets: ReadonlyMap<string, string> = new Map(), options: ActOptions = {}): Promise<EngineRun> {
    signal.throwIfAborted();
    const begun = this.#starting.get(jobId);
    if (begun) return begun;
    const starting = translated('start the container', () => this.#start(jobId, secrets, options)).finally(() => this.#starting.delete(jobId));
    this.#starting.set(jobId, starting);
    return starting;
  }

  async mayStartAgain(jobId: string): Promise<boolean> {
    return translated('tell what it remembers', async () => {
      const made = await this.#container(namesOf(this.#gateway, jobId).container);
      return made === undefined || runOf(jobId, made).state !== 'created' || removeUnstarted(this.#calls, made.Id);
    });
  }

  async wait(jobId: string, signal: AbortSignal): Promise<EngineRun> {
    const names = namesOf(this.#gateway, jobId);
    return translated('wait for the container', async () => {
      for (;;) {
        const { status } = await this.#waitOnce(names, signal);
        const made = status === NOT_FOUND ? undefined : await this.#container(names.container, signal);
        if (!made) throw gone();
        const run = runOf(jobId, made);
        // The engine calls a container that was never started "not running", which it is.
        if (run.state === 'created') throw new EngineRefused('the container was never started');
        if (run.exit) return { ...run, exit: await exitWithMemory(this.#calls, run.exit, [made.Id], signal) };
      }
    });
  }

  async inspect(jobId: string, signal?: AbortSignal): Promise<EngineRun | undefined> {
    const container = await translated('show the container', () => this.#container(namesOf(this.#gateway, jobId).container, signal));
    return container && runOf(jobId, container);
  }

  async stop(jobId: string, graceSeconds: number): Promise<void> {
    const { container } = namesOf(this.#gateway, jobId);
    const t = Math.max(0, Math.ceil(graceSeconds));
    await translated('stop the container', () =>
      this.#calls.ask('POST', `/containers/${container}/stop`, {
        query: { t }, accept: [NOT_MODIFIED, NOT_FOUND], within: (t + this.#config.answerWithin) * 1000,
      }),
    );
  }

  async logs(jobId: string, stream: 'stdout' | 'stderr', options: LogOptions): Promise<Readable> {
    const { container } = namesOf(this.#gateway, jobId);
    const { follow, signal } = options;
    const response = await translated(
      'show the log',
      () => this.#calls.open('GET', `/containers/${container}/logs`, { query: { [stream]: true, follow }, signal }),
      gone,
    );
    const content = Readable.from(demultiplexed(response, stream), { objectMode: false });
    const abort = (): void => void content.destroy(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    // The generator cannot see a destruction while it waits for the engine; so the connection is closed from here.
    content.once('close', () => {
      signal?.removeEventListener('abort', abort);
      response.destroy();
    });
    return content;
  }

  connect(jobId: string, { port }: Endpoint, signal: AbortSignal): Promise<Duplex> {
    return translated('reach the container', () => this.#relays.connect(this.#reached(jobId), port, signal));
  }

  async listens(jobId: string, { port }: Endpoint, signal: AbortSignal): Promise<boolean> {
    return (await translated('reach the container', () => this.#relays.listening(this.#reached(jobId), signal))).has(port);
  }

  progress(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    return translated('read the progress', () => progressOf(this.#calls, namesOf(this.#gateway, jobId).container, signal));
  }

  async usage(jobId: string, signal: AbortSignal): Promise<ReadonlyMap<string, ContainerUse>> {
    const { container } = namesOf(this.#gateway, jobId);
    const use = await translated('tell what the job uses', () => usageOf(this.#calls, container, signal));
    return new Map(use === undefined ? [] : [[container, use]]);
  }

  async *outputs(jobId: string, signal: AbortSignal): AsyncGenerator<OutputFile | OutputSkipped> {
    const { container } = namesOf(this.#gateway, jobId);
    // Reading an archive makes the engine start a process of its own; most of a short job's time, for nothing.
    if (await translated('look into /output', () => hasBlankOutput(this.#calls, container, signal), gone)) return;
    // a full disk of the engine's is no reason to leave output out: it is read when there is room
    const archive = await withRoom(() => translated('read /output', () => this.#calls.open('GET', `/containers/${container}/archive`, { query: { path: '/output' }, signal }), gone));
    yield* outputFiles(archive, this.#config.outputBytes, signal);
    await translated('answer', () => this.#calls.mustListen(signal));
  }

  diskUse(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return translated('tell what is on its disk', () => diskUse(this.#calls, this.#gateway, signal));
  }

  async remove(jobId: string): Promise<void> {
    const names = namesOf(this.#gateway, jobId);
    await this.#tidying.get(jobId);
    await translated('remove the container', async () => {
      const { status } = await this.#calls.ask('DELETE', `/containers/${names.container}`, { query: { force: true, v: true }, accept: [NOT_FOUND, CONFLICT] });
      // Somebody else is removing it at this moment.
      if (status === CONFLICT) await this.#calls.ask('POST', `/containers/${names.container}/wait`, { query: { condition: 'removed' }, accept: [NOT_FOUND] });
      await this.#relays.settled(jobId);
      await this.#relays.remove(relayOf(names));
      await this.#networks.remove(names);
      await this.#secrets.tidy(names);
      await this.#calls.ask('DELETE', `/volumes/${names.secrets}`, { accept: [NOT_FOUND] });
      const volume = `/volumes/${names.output}`;
      const removed = await this.#calls.ask('DELETE', volume, { accept: [NOT_FOUND, CONFLICT] });
      if (removed.status !== CONFLICT) return;
      await this.#blank.tidy(names);
      await this.#calls.ask('DELETE', volume, { accept: [NOT_FOUND] });
    });
  }

  #reached(jobId: string): Reached {
    const names = namesOf(this.#gateway, jobId);
    return { jobId, container: names.container, relay: relayOf(names), labels: labelsOf(this.#gateway, jobId, 'relay') };
  }

  async list(signal?: AbortSignal): Promise<readonly ListedRun[]> {
    const jobs = await translated('list the containers', () => jobsOf(this.#calls, this.#gateway, signal));
    return listRuns(jobs, (jobId) => this.inspect(jobId, signal), () => this.time(signal));
  }

  async close(): Promise<void> {
    await Promise.all(this.#tidying.values());
    this.#agent.destroy();
  }

  /** Before anything is pulled: no sandbox is made weaker than the site wants. */
  async #refuseLacking(signal: AbortSignal, task?: PinnedTask): Promise<void> {
    const preflight = await translated('describe itself', async () => this.#preflight?.ask(signal));
    const lacking = preflight === undefined ? undefined : (preflightRefusal(preflight) ?? relaxationRefusal(task?.relaxed, preflight));
    if (lacking !== undefined) throw new EngineRefused(lacking);
  }

  /** While the job runs, when nobody waits; only a removal does, and what failed here is done there. */
  #tidyMeanwhile(jobId: string, names: JobNames): void {
    const tidying = this.#blank.tidy(names).catch(() => undefined).finally(() => this.#tidying.delete(jobId));
    this.#tidying.set(jobId, tidying);
  }

  async #start(jobId: string, secrets: ReadonlyMap<string, string>, { mayAct }: ActOptions): Promise<EngineRun> {
    const names = namesOf(this.#gateway, jobId);
    const { container } = names;
    const made = await this.#container(container);
    if (!made) throw gone();
    const before = runOf(jobId, made);
    if (neverRan(before)) throw couldNotStart(`the engine could not start the container: ${before.exit?.error ?? ''}`);
    if (before.state === 'exited' && secrets.size > 0) throw new EngineRefused('the program is over, and whether it had its secrets is not known', { temporary: true });
    if (before.state === 'running' && secrets.size > 0) await this.#secrets.mustBeThere(secretsPlaceOf(this.#gateway, jobId));
    if (before.state !== 'created') return before;
    if (made.HostConfig['NetworkMode'] !== 'none') await this.#networks.check(names);
    const start = async (): Promise<void> => {
      await mayAct?.();
      // by its id: under the name there may be another one by now, which is for somebody else to start
      await this.#startNow(made.Id);
    };
    const user = String(made.Config['User']);
    await (secrets.size === 0 ? start() : this.#secrets.during(secretsPlaceOf(this.#gateway, jobId), user, ownFiles(secrets, user), start));
    this.#tidyMeanwhile(jobId, names);
    return this.#run(jobId, container);
  }

  async #startNow(container: string): Promise<void> {
    await this.#calls.ask('POST', `/containers/${container}/start`, { accept: [NOT_MODIFIED] }).catch((error: unknown) => {
      // The engine keeps its reason with the container and will not be asked again: this is final, whatever the status.
      if (error instanceof DockerStatusError) throw couldNotStart(refusal('start the container', error).message, error);
      throw error;
    });
  }

  async #waitOnce(names: JobNames, signal: AbortSignal): Promise<{ readonly status: number }> {
    try {
      return await this.#calls.ask('POST', `/containers/${names.container}/wait`, {
        query: { condition: 'not-running' }, accept: [NOT_FOUND], within: WAIT_SLICE, signal,
      });
    } catch (error) {
      if (error instanceof EngineLate) return { status: 200 };
      throw error;
    }
  }

  async #run(jobId: string, container: string): Promise<EngineRun> {
    const inspected = await this.#container(container);
    if (!inspected) throw gone();
    return runOf(jobId, inspected);
  }

  async #container(name: string, signal?: AbortSignal): Promise<InspectedContainer | undefined> {
    const { body } = await this.#calls.ask('GET', `/containers/${name}/json`, { accept: [NOT_FOUND], signal });
    return body === undefined ? undefined : parseContainer(body);
  }
}

function neverRan(run: EngineRun): boolean {
  return run.state === 'exited' && run.startedAt === undefined;
}
