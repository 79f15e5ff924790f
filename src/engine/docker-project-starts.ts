import type { Clock } from '../clock.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { DockerStatusError } from './docker-errors.ts';
import type { ProjectNames } from './docker-project-names.ts';
import { type ProjectRuns, translatedCalls } from './docker-project-runs.ts';
import type { ServiceRun } from './docker-project-state.ts';
import { SecretDelivery, type SecretFile } from './docker-secrets.ts';
import { EngineRefused } from './engine.ts';

const NOT_MODIFIED = 304;

/** The values of a job's secrets, by name. */
export type Secrets = ReadonlyMap<string, string>;

interface StartHow {
  readonly secrets: Secrets;
  /** Heard until the container is started. */
  readonly signal: AbortSignal;
  /** The engine's no stays with the container, where whoever looks next reads it. */
  readonly leaveNo: boolean;
}

/** Starts containers of projects; none that has secrets without them. */
export class ProjectStarts {
  readonly #calls: DockerCalls;
  readonly #runs: ProjectRuns;
  readonly #delivery: SecretDelivery;
  /** By container: a start that whoever asked for it may have stopped waiting for. */
  readonly #underWay = new Map<string, { readonly jobId: string; readonly done: Promise<unknown> }>();

  constructor(calls: DockerCalls, runs: ProjectRuns, blank: BlankVolume, clock: Clock) {
    this.#calls = calls;
    this.#runs = runs;
    this.#delivery = new SecretDelivery(calls, blank, clock);
  }

  /** Starts a container that was seen like this. Throws EngineRefused or DockerStatusError where it cannot be. */
  async start(one: ServiceRun, names: ProjectNames, secrets: Secrets): Promise<void> {
    await this.#queued(one, names, { secrets, signal: new AbortController().signal, leaveNo: false });
  }

  /**
   * The same of one whose turn has come. Of a failure the engine keeps its reason with the container; but where its secrets cannot be
   * brought to it, that is returned. False where it has secrets and is another way now: somebody has started it, or it never shall be.
   * Throws what is no answer of the engine's, and the signal's reason.
   */
  async startLater(one: ServiceRun, names: ProjectNames, secrets: Secrets, signal: AbortSignal): Promise<boolean | EngineRefused> {
    try {
      return await translatedCalls('take the secrets of a service', () => this.#queued(one, names, { secrets, signal, leaveNo: true }));
    } catch (error) {
      if (error instanceof EngineRefused) return error;
      throw error;
    }
  }

  /** After what is being done to the same container. */
  async #queued(one: ServiceRun, names: ProjectNames, how: StartHow): Promise<boolean> {
    if (one.plan.secrets === undefined) {
      await this.#now(one, how);
      return true;
    }
    const { container, run: { jobId } } = one;
    const before = this.#underWay.get(container)?.done;
    const mine = (async () => {
      await before?.catch(() => undefined);
      return this.#withSecrets(one, names, how);
    })();
    const entry = { jobId, done: mine };
    this.#underWay.set(container, entry);
    return mine.finally(() => {
      if (this.#underWay.get(container) === entry) this.#underWay.delete(container);
    });
  }

  /** Resolves when nothing is brought to containers of the job any more, whatever became of it. */
  async settled(jobId: string): Promise<void> {
    await Promise.allSettled([...this.#underWay.values()].filter((one) => one.jobId === jobId).map(({ done }) => done));
  }

  async #withSecrets(one: ServiceRun, names: ProjectNames, how: StartHow): Promise<boolean> {
    const { secrets, signal } = how;
    const files = filesOf(one, secrets);
    if (!(await this.#runs.isAsSeen(one))) return false;
    signal.throwIfAborted();
    let started = false;
    const place = { container: one.container, ...names.secrets(one.plan.index) };
    await this.#delivery.during(place, one.user, files, async () => {
      started = await this.#runs.isAsSeen(one);
      signal.throwIfAborted();
      if (started) await this.#now(one, how);
    }, signal);
    return started;
  }

  async #now({ container }: ServiceRun, { leaveNo }: StartHow): Promise<void> {
    await this.#calls.ask('POST', `/containers/${container}/start`, { accept: [NOT_MODIFIED] }).catch((error: unknown) => {
      if (!leaveNo || !(error instanceof DockerStatusError)) throw error;
    });
  }
}

function filesOf({ plan }: ServiceRun, secrets: Secrets): readonly SecretFile[] {
  return (plan.secrets ?? []).map(({ name, file, ...header }) => {
    const value = secrets.get(name);
    if (value === undefined) throw new EngineRefused(`the secret ${name} was not given`);
    return { ...header, name: file, value };
  });
}
