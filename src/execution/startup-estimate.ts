import type { Caller } from '../caller.ts';
import type { Clock, Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Job } from '../job/job.ts';
import type { JobStore } from '../store/job-store.ts';
import type { PinnedTask, Resources } from '../task/task.ts';
import type { ImagePulls } from './image-pulls.ts';
import type { Slots } from './slots.ts';

export interface StartupEstimateParts {
  readonly store: Pick<JobStore, 'get' | 'list' | 'count'>;
  readonly clock: Clock;
  readonly slots: Slots;
  readonly pulls: ImagePulls;
}

/** Seconds, between which a job is expected to start. */
export interface StartupTime {
  readonly min: number;
  readonly max: number;
}

/** What making and starting a container takes at most, beside everything else (seconds). */
const STARTING = 5;
/** A longer queue is not looked through for a question. */
const LONGEST_QUEUE = 200;
/** For how long it is believed that the engine has an image, or not (milliseconds). */
const BELIEVED = 10_000;
const REMEMBERED = 1000;

/** When jobs that run are over at the latest, and what they have; or jobs that wait, with what they may take. */
interface Load {
  readonly owner: string | null;
  readonly groups: readonly string[];
  readonly resources: Resources;
  /** Seconds from now for one that runs, from its start for one that waits; Infinity = nobody knows. */
  readonly seconds: number;
}

/** Tells when a job would start that were submitted now: from who runs, who waits, and what has to be pulled. */
export class StartupEstimate {
  readonly #parts: StartupEstimateParts;
  readonly #present = new Map<Digest, { readonly has: boolean; readonly until: number }>();

  constructor(parts: StartupEstimateParts) {
    this.#parts = parts;
  }

  /**
   * `max` takes every job for as long as it may last, in the order of their coming, and pulls for as slow as the slowest one lately;
   * `min` takes all that could be over for over. An estimate: others may come in between, and turns are by owner. Undefined where
   * nobody can say: jobs without a limit are in the way, the engine does not answer, or it has never pulled anything here.
   */
  async of(task: PinnedTask, caller: Caller): Promise<StartupTime | undefined> {
    const pull = (await this.#isPresent(task)) ? { min: 0, max: 0 } : this.#parts.pulls.estimate(task.image.size);
    if (pull === undefined) return undefined;
    const wait = await this.#wait({ owner: caller.id, groups: caller.groups, resources: task.resources, seconds: 0 });
    return wait === undefined ? undefined : { min: pull.min, max: Math.ceil(wait + pull.max) + STARTING };
  }

  /** Seconds until there is room for this job at the latest. */
  async #wait(wanted: Load): Promise<number | undefined> {
    const { QUEUED: queued = 0 } = await this.#parts.store.count();
    if (queued > LONGEST_QUEUE) return undefined;
    const running = (await this.#jobs(this.#parts.slots.running)).map((job) => loadOf(job, this.#parts.clock.now()));
    if (queued === 0 && this.#fits(wanted, running)) return 0;
    const line: Load[] = [];
    for await (const { id } of this.#parts.store.list({ list: 'docker', phases: ['QUEUED'] })) {
      const job = await this.#parts.store.get(id);
      if (job?.phase === 'QUEUED' && !this.#parts.slots.has(id)) line.unshift(loadOf({ ...job, startTime: null }, 0));
    }
    return this.#passed([...line, wanted], running);
  }

  /** Lets the jobs in line start one after the other; when the last of them does. */
  #passed(line: readonly Load[], running: Load[]): number | undefined {
    let now = 0;
    for (const next of line) {
      while (!this.#fits(next, running)) {
        const end = Math.min(...running.map(({ seconds }) => seconds));
        if (!Number.isFinite(end)) return undefined;
        now = Math.max(now, end);
        running = running.filter(({ seconds }) => seconds > end);
      }
      running = [...running, { ...next, seconds: now + next.seconds }];
    }
    return now;
  }

  #fits({ owner, groups, resources }: Load, running: readonly Load[]): boolean {
    const { slots } = this.#parts;
    return slots.hasRoom(resources, running) && slots.mayStart({ owner, groups, task: { resources } }, running);
  }

  async #jobs(ids: readonly string[]): Promise<readonly Job[]> {
    return (await Promise.all(ids.map((id) => this.#parts.store.get(id)))).filter((job) => job !== undefined);
  }

  async #isPresent({ image }: PinnedTask): Promise<boolean> {
    const now = this.#parts.clock.monotonic();
    const known = this.#present.get(image.manifestDigest);
    if (known !== undefined && now < known.until) return known.has;
    const has = await this.#parts.pulls.isPresent(image).catch(() => false);
    if (this.#present.size >= REMEMBERED) this.#present.clear();
    this.#present.set(image.manifestDigest, { has, until: now + BELIEVED });
    return has;
  }
}

function loadOf({ owner, groups, task, startTime, executionDuration }: Job, now: Instant): Load {
  const since = startTime === null ? 0 : Math.max(0, now - startTime) / 1000;
  const seconds = executionDuration === 0 ? Infinity : Math.max(1, executionDuration - since);
  return { owner, groups, resources: task?.resources ?? { cores: 0, memory: 0 }, seconds };
}
