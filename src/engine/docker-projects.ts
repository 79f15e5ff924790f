import type { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { type Duplex } from 'node:stream';
import type { Clock, Instant } from '../clock.ts';
import type { Endpoint } from '../task/endpoints.ts';
import { isProjectJob, type PinnedProject } from '../task/project.ts';
import type { ContainerUse } from '../task/usage.ts';
import { BlankVolume, hasBlankOutput } from './docker-blank-volume.ts';
import { DockerCalls } from './docker-call.ts';
import { dockerConnection } from './docker-connection.ts';
import { engineTime } from './docker-description.ts';
import type { DockerEngineOptions } from './docker-engine.ts';
import { diskUse } from './docker-disk-use.ts';
import { EngineLate, mustStart, withRoom } from './docker-errors.ts';
import { exitWithMemory, remembersCreation } from './docker-events.ts';
import { DockerImages } from './docker-images.ts';
import { listRuns } from './docker-list.ts';
import { isJobId } from './docker-names.ts';
import { outputFiles } from './docker-output.ts';
import { progressOf } from './docker-progress.ts';
import { ProjectBuilder } from './docker-project-builder.ts';
import { projectGateway, ProjectNames } from './docker-project-names.ts';
import { ProjectRuns, translatedCalls } from './docker-project-runs.ts';
import { allDone } from './docker-project-things.ts';
import { RestartPauses } from './docker-project-restarts.ts';
import { failure, jobRun, projectState, type ServiceRun } from './docker-project-state.ts';
import { JobRelays, type Reached } from './docker-relay.ts';
import { ServiceLogs } from './docker-service-logs.ts';
import { type Secrets, ServiceStart } from './docker-service-start.ts';
import { usageOf } from './docker-usage.ts';
import type { EngineConfig } from './engine-config.ts';
import { type ActOptions, EngineRefused, type EngineRun, type ListedRun, type LogOptions, type MakeOptions, type OutputFile, type OutputSkipped, type WaitOptions } from './engine.ts';
import type { ProjectEngine } from './project-engine.ts';

const NOT_MODIFIED = 304;
const NOT_FOUND = 404;
/** A wait is asked again after this many milliseconds: a connection may die silently, and an engine that has just come back may never answer one (seen with 20.10 and live-restore). */
const WAIT_SLICE = 20_000;
/** Looks at what still runs of a project that is being stopped. */
const STOP_ROUNDS = 3;
/** Between two looks at what only tells when it is asked: a health check's outcome, a container that has yet to start (milliseconds). */
const LOOK = 300;

/** Runs projects on a Docker Engine (API 1.40 or later), every container of them in the sandbox of docs/sandbox.md, on networks that lead nowhere. */
export class DockerProjects implements ProjectEngine {
  readonly #config: EngineConfig;
  readonly #gateway: string;
  readonly #clock: Clock;
  readonly #agent: Agent;
  readonly #calls: DockerCalls;
  readonly #runs: ProjectRuns;
  readonly #start: ServiceStart;
  readonly #logs: ServiceLogs;
  readonly #relays: JobRelays;
  readonly #builder: ProjectBuilder;

  /** Speaks to nobody yet. Throws as DockerEngine. */
  constructor(options: DockerEngineOptions) {
    this.#config = options.config;
    this.#gateway = options.gateway;
    this.#clock = options.clock;
    const connection = dockerConnection(options.config, options.environment ?? {});
    this.#agent = connection.options.agent;
    this.#calls = new DockerCalls(connection, options.clock, options.config.answerWithin * 1000);
    this.#runs = new ProjectRuns(this.#calls);
    this.#start = new ServiceStart(this.#calls, this.#runs, new BlankVolume(this.#calls, projectGateway(options.gateway)), options.clock);
    this.#logs = new ServiceLogs(this.#calls, this.#runs, options.clock);
    this.#relays = new JobRelays(this.#calls, options.config.relay);
    const images = new DockerImages(this.#calls, options.credentials ?? (() => undefined));
    this.#builder = new ProjectBuilder(this.#calls, images, options.gateway, options.config);
  }

  async create(jobId: string, project: PinnedProject, signal: AbortSignal, how: MakeOptions = {}): Promise<void> {
    const imageIds = await translatedCalls('show the images', () => this.#builder.verifiedImages(project, signal));
    signal.throwIfAborted();
    // From here on no signal: what has begun on the engine goes on there, and must be known to be there.
    await withRoom(() => translatedCalls('create the project', async () => {
      const { runs, lost } = await this.#runs.found(jobId, this.#names(jobId));
      if (lost && runs.some(({ run }) => run.state !== 'created')) return;
      // Where it fails, what is there stays: it may be good, and it may be a successor's by now.
      await this.#builder.build(jobId, project, imageIds, { mayAct: free, ...how });
    }));
  }

  async start(jobId: string, signal: AbortSignal, secrets: Secrets = new Map(), { mayAct = free }: ActOptions = {}): Promise<EngineRun> {
    signal.throwIfAborted();
    return translatedCalls('start the project', async () => {
      const before = await this.#mustBeThere(jobId);
      const { exit, ready } = projectState(before);
      if (exit !== undefined && before.every(({ run }) => run.startedAt === undefined)) throw new EngineRefused(`the engine could not start the project: ${exit.error ?? ''}`, { temporary: exit.temporary ?? false });
      const names = this.#names(jobId);
      if (before.some(({ run }) => run.startedAt !== undefined)) {
        // what is left is started by whoever waits for the project
        for (const one of before) await this.#start.mustHaveSecrets(one, names);
        return jobRun(jobId, before);
      }
      if (exit === undefined && ready.length > 0) await mayAct();
      // their intent is in the store
      if (exit === undefined) await mustStart('start the project', () => allDone(ready.map((one) => this.#start.first(one, { names, secrets, mayAct, signal }))));
      return jobRun(jobId, await this.#mustBeThere(jobId));
    });
  }

  async wait(jobId: string, signal: AbortSignal, options: WaitOptions = {}): Promise<EngineRun> {
    const mayAct = async (): Promise<void> => {
      signal.throwIfAborted();
      await options.mayAct?.();
      signal.throwIfAborted();
    };
    const how = { names: this.#names(jobId), secrets: options.secrets ?? new Map<string, string>(), mayAct, signal };
    return translatedCalls('wait for the project', async () => {
      const pauses = new RestartPauses(this.#clock);
      for (;;) {
        const runs = await this.#mustBeThere(jobId, signal);
        if (runs.every(({ run }) => run.state === 'created')) throw new EngineRefused('the project was never started');
        const { exit, ready, again, running, waitsForHealth } = projectState(runs);
        if (exit !== undefined) {
          await this.#stopAll(running, this.#config.stopGrace, mayAct);
          const killed = runs.filter(({ plan, run }) => plan.main && run.exit?.code === exit.code).map(({ container }) => container);
          // as it was before they were ended
          return { ...jobRun(jobId, running.length === 0 ? runs : await this.#mustBeThere(jobId)), exit: await exitWithMemory(this.#calls, exit, killed, signal) };
        }
        const { due, pause } = pauses.of(again);
        for (const one of [...ready, ...due]) {
          const refused = await this.#start.later(one, how);
          if (refused !== undefined) return await this.#giveUp(jobId, one, refused, mayAct);
        }
        if (ready.length + due.length === 0) await this.#change(running, Math.min(pause, waitsForHealth ? LOOK : Infinity), signal);
      }
    });
  }

  async inspect(jobId: string, signal?: AbortSignal): Promise<EngineRun | undefined> {
    const { lost, runs } = await translatedCalls('show the project', () => this.#runs.found(jobId, this.#names(jobId), signal));
    if (runs.length === 0) return undefined;
    if (!lost) return jobRun(jobId, runs);
    // Made in part, to be completed; or it has lost a container: then nobody can know how it ended, as if there were none.
    return runs.every(({ run }) => run.state === 'created') ? { jobId, state: 'created' } : undefined;
  }

  async mayStartAgain(jobId: string): Promise<boolean> {
    return translatedCalls('tell what it remembers', async () => {
      const { runs, lost } = await this.#runs.found(jobId, this.#names(jobId));
      if (runs.some(({ run }) => run.state !== 'created')) return !lost;
      const remembered = await Promise.all(runs.map(({ container }) => remembersCreation(this.#calls, container)));
      return remembered.every((yes) => yes);
    });
  }

  async stop(jobId: string, graceSeconds: number): Promise<void> {
    await translatedCalls('stop the project', async () => {
      const names = this.#names(jobId);
      // somebody may have been starting one at this moment
      for (let round = 1; round <= STOP_ROUNDS; round += 1) {
        await this.#runs.hold((await this.#runs.found(jobId, names)).runs);
        await this.#runs.starts.settled(jobId);
        const running = (await this.#runs.found(jobId, names)).runs.filter(({ run }) => run.state === 'running');
        if (running.length === 0) return;
        await this.#stopAll(running, graceSeconds);
      }
    });
  }

  async logs(jobId: string, stream: 'stdout' | 'stderr', options: LogOptions): Promise<Readable> {
    return translatedCalls('show the log', async () => this.#logs.read(jobId, this.#names(jobId), await this.#mustBeThere(jobId, options.signal), stream, options));
  }

  connect(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
    return translatedCalls('reach the service', async () => this.#relays.connect(await this.#reached(jobId, endpoint, signal), endpoint.port, signal));
  }

  async listens(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
    return translatedCalls('reach the service', async () => {
      const { health, ...reached } = await this.#reached(jobId, endpoint, signal);
      // a service that knows itself whether it is well is asked first
      return (health === undefined || health === 'healthy') && (await this.#relays.listening(reached, signal)).has(endpoint.port);
    });
  }

  async progress(jobId: string, signal: AbortSignal): Promise<string | undefined> {
    return translatedCalls('read the progress', async () => {
      const runs = await this.#runs.of(jobId, this.#names(jobId), signal);
      for (const { container } of runs.filter(({ plan }) => plan.main)) {
        const line = await progressOf(this.#calls, container, signal);
        if (line !== undefined) return line;
      }
      return undefined;
    });
  }

  async usage(jobId: string, signal: AbortSignal): Promise<ReadonlyMap<string, ContainerUse>> {
    return translatedCalls('tell what the project uses', async () => {
      const runs = await this.#runs.of(jobId, this.#names(jobId), signal);
      const running = runs.filter(({ run }) => run.state === 'running');
      const uses = await Promise.all(running.map(async ({ container }) => [container, await usageOf(this.#calls, container, signal)] as const));
      return new Map(uses.filter((entry): entry is [string, ContainerUse] => entry[1] !== undefined));
    });
  }

  async *outputs(jobId: string, signal: AbortSignal): AsyncGenerator<OutputFile | OutputSkipped> {
    let left = this.#config.outputBytes;
    for (const { container, plan, run } of await this.#mustBeThere(jobId, signal)) {
      if (plan.output === undefined || run.startedAt === undefined) continue;
      if (await translatedCalls('look into /output', () => hasBlankOutput(this.#calls, container, signal))) continue;
      const archive = await withRoom(() => translatedCalls('read /output', () => this.#calls.open('GET', `/containers/${container}/archive`, { query: { path: '/output' }, signal })));
      for await (const entry of outputFiles(archive, left, signal)) {
        if ('size' in entry) left -= entry.size;
        yield { ...entry, path: plan.output + entry.path };
      }
      await translatedCalls('answer', () => this.#calls.mustListen(signal));
    }
  }

  async remove(jobId: string): Promise<void> {
    await translatedCalls('remove the project', async () => {
      await this.#runs.starts.settled(jobId);
      await this.#runs.remove(this.#names(jobId));
      // one that was being made has come too late for that
      if (await this.#relays.settled(jobId)) await this.#runs.remove(this.#names(jobId));
    });
  }

  async list(signal?: AbortSignal): Promise<readonly ListedRun[]> {
    const jobs = await translatedCalls('list the projects', () => this.#runs.jobs(projectGateway(this.#gateway), signal));
    const time = async (): Promise<Instant> => engineTime((await this.#calls.ask('GET', '/info', { signal })).body);
    return listRuns(jobs.filter((id) => isJobId(id) && isProjectJob(id)), (jobId) => this.inspect(jobId, signal), time);
  }

  async diskUse(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return translatedCalls('tell what its disk holds', () => diskUse(this.#calls, projectGateway(this.#gateway), signal));
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #names(jobId: string): ProjectNames {
    return new ProjectNames(this.#gateway, jobId);
  }

  /** The first container of the service that runs. */
  async #reached(jobId: string, { service }: Endpoint, signal: AbortSignal): Promise<Reached & { readonly health: string | undefined }> {
    const names = this.#names(jobId);
    const found = (await this.#mustBeThere(jobId, signal)).find(({ plan, run }) => plan.service === service && run.state === 'running');
    if (found === undefined) throw new EngineRefused('this service of the job does not run', { temporary: true });
    return { jobId, container: found.container, relay: names.relay(found.plan.index), labels: names.labels('relay'), health: found.health };
  }

  async #mustBeThere(jobId: string, signal?: AbortSignal): Promise<readonly ServiceRun[]> {
    const runs = await this.#runs.of(jobId, this.#names(jobId), signal);
    if (runs.length === 0) throw new EngineRefused('the containers of this job are gone');
    return runs;
  }

  /** Ends what runs of a project of which a service cannot be brought its secrets. */
  async #giveUp(jobId: string, { plan }: ServiceRun, { message, temporary }: EngineRefused, mayAct: () => Promise<void>): Promise<EngineRun> {
    await mayAct();
    await this.stop(jobId, this.#config.stopGrace);
    const exit = { ...failure(`service ${plan.service} could not be started: ${message}`), ...(temporary ? { temporary } : {}) };
    return { ...jobRun(jobId, await this.#mustBeThere(jobId)), exit };
  }

  /** Resolves when a container has ended, or after `look` milliseconds, when it may be worth while to look again. */
  async #change(running: readonly ServiceRun[], look: number, signal: AbortSignal): Promise<void> {
    const race = new AbortController();
    const any = AbortSignal.any([race.signal, signal]);
    try {
      await Promise.race([
        ...running.map(({ container }) => this.#ended(container, any)),
        ...(look < Infinity ? [this.#clock.sleep(look, any)] : []),
      ]);
    } finally {
      race.abort();
    }
    signal.throwIfAborted();
  }

  async #ended(container: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#calls.ask('POST', `/containers/${container}/wait`, { query: { condition: 'not-running' }, accept: [NOT_FOUND], within: WAIT_SLICE, signal });
    } catch (error) {
      if (!(error instanceof EngineLate)) throw error;
    }
  }

  /** Those first on which nobody depends. */
  async #stopAll(running: readonly ServiceRun[], graceSeconds: number, mayAct = free): Promise<void> {
    const levels = [...new Set(running.map(({ plan }) => plan.level))].sort((a, b) => b - a);
    for (const level of levels) {
      await mayAct();
      await Promise.all(running.filter(({ plan }) => plan.level === level).map(async ({ container, plan }) => {
        const t = Math.max(0, Math.ceil(plan.grace ?? graceSeconds));
        await this.#calls.ask('POST', `/containers/${container}/stop`, { query: { t }, accept: [NOT_MODIFIED, NOT_FOUND], within: (t + this.#config.answerWithin) * 1000 });
      }));
    }
  }
}

/** Whoever is not asked may. */
const free = async (): Promise<void> => undefined;
