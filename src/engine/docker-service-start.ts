import type { Clock } from '../clock.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { marksOf } from './docker-project-marks.ts';
import type { ProjectNames } from './docker-project-names.ts';
import type { ProjectRuns } from './docker-project-runs.ts';
import type { ServiceRun } from './docker-project-state.ts';
import { SecretDelivery, type SecretFile, type SecretsPlace } from './docker-secrets.ts';
import { EngineRefused } from './engine.ts';

const NOT_MODIFIED = 304;

/** The values of a job's secrets, by name. */
export type Secrets = ReadonlyMap<string, string>;

/** With what containers are started. */
export interface StartWith {
  readonly names: ProjectNames;
  readonly secrets: Secrets;
  /** Asked immediately before the engine is told to. */
  readonly mayAct: () => Promise<void>;
  /** Heard until then. */
  readonly signal: AbortSignal;
}

/** Starts containers of projects; none that has secrets without them. */
export class ServiceStart {
  readonly #calls: DockerCalls;
  readonly #runs: ProjectRuns;
  readonly #delivery: SecretDelivery;

  constructor(calls: DockerCalls, runs: ProjectRuns, blank: BlankVolume, clock: Clock) {
    this.#calls = calls;
    this.#runs = runs;
    this.#delivery = new SecretDelivery(calls, blank, clock);
  }

  /** Starts one of a project's first containers. Throws EngineRefused or DockerStatusError where it cannot be. */
  async first(one: ServiceRun, how: StartWith): Promise<void> {
    await this.#runs.starts.once(one, () => this.#start(one, how));
  }

  /**
   * Starts one whose turn has come, its intent written first. That the engine cannot start it is kept with the container and here, where
   * whoever looks next finds it; but where its secrets cannot be brought to it, that is returned. Throws what is no answer of the engine's,
   * and the signal's reason.
   */
  async later(one: ServiceRun, how: StartWith): Promise<EngineRefused | undefined> {
    try {
      await this.#runs.starts.marked(one, how.mayAct, () => this.#start(one, how));
      return undefined;
    } catch (error) {
      if (error instanceof EngineRefused) return error;
      throw error;
    }
  }

  /** Proves that a container which runs has its secrets, whoever has started it. Throws EngineRefused where it has not: it has been killed then. */
  async mustHaveSecrets(one: ServiceRun, names: ProjectNames): Promise<void> {
    if (one.plan.secrets !== undefined && one.run.state === 'running') await this.#delivery.mustBeThere(placeOf(one, names));
  }

  async #start(one: ServiceRun, { names, secrets, mayAct, signal }: StartWith): Promise<void> {
    if (one.plan.secrets === undefined) {
      await this.#tell(one);
      return;
    }
    const files = filesOf(one, secrets);
    if (await this.#isHeld(one)) return;
    await this.#delivery.during(placeOf(one, names), one.user, files, async () => {
      await mayAct();
      // somebody may have stopped the project meanwhile
      if (!(await this.#isHeld(one))) await this.#tell(one);
    }, signal);
  }

  async #isHeld({ container }: ServiceRun): Promise<boolean> {
    const found = await this.#runs.container(container);
    return found !== undefined && marksOf(found.Name).held;
  }

  async #tell({ container }: ServiceRun): Promise<void> {
    await this.#calls.ask('POST', `/containers/${container}/start`, { accept: [NOT_MODIFIED] });
  }
}

function placeOf({ container, plan }: ServiceRun, names: ProjectNames): SecretsPlace {
  return { container, ...names.secrets(plan.index) };
}

function filesOf({ plan }: ServiceRun, secrets: Secrets): readonly SecretFile[] {
  return (plan.secrets ?? []).map(({ name, file, ...header }) => {
    const value = secrets.get(name);
    if (value === undefined) throw new EngineRefused(`the secret ${name} was not given`);
    return { ...header, name: file, value };
  });
}
