import { LRUCache } from 'lru-cache';
import type { Job } from '../job/job.ts';
import type { Resources } from '../task/task.ts';

/** What a site offers to all running jobs together. */
export interface Offer extends Resources {
  /** Jobs at once. */
  readonly slots: number;
}

interface Taken {
  readonly owner: string | null;
  readonly groups: readonly string[];
  readonly resources: Resources;
}

/** Who wants to start, as far as quotas care. */
export interface Starter extends Pick<Job, 'owner' | 'groups'> {
  readonly task: { readonly resources: Resources } | null;
}

/** Owners of whom it is remembered when they were last served. */
const SERVED = 10_000;

/** Whether a job may start beside those that run, whatever there is room for. */
export type MayStart = (job: Starter, running: readonly Taken[]) => boolean;

/** Which jobs run here, and what they were promised: the sum never exceeds the offer by a job that is started. */
export class Slots {
  /** Nothing, until the engine has told what it has. */
  #offer: Offer = { slots: 0, cores: 0, memory: 0 };
  readonly #taken = new Map<string, Taken>();
  /** By owner ('' = anonymous), how many had been served when he last was. */
  readonly #served = new LRUCache<string, number>({ max: SERVED });
  #turns = 0;
  readonly #mayStart: MayStart;

  /** `mayStart`: quotas; absent = none. */
  constructor(mayStart: MayStart = () => true) {
    this.#mayStart = mayStart;
  }

  /** What can be given from now on. */
  offer(offer: Offer): void {
    this.#offer = offer;
  }

  /** What the site offers altogether. */
  get total(): Offer {
    return this.#offer;
  }

  /** Whether the job could start now without anybody's promise being broken. */
  fits({ task }: Job): boolean {
    return task !== null && this.hasRoom(task.resources, this.#taken.values());
  }

  /** Whether the job needs more than there is altogether: the site offers less now than when the job was accepted. */
  neverFits({ task }: Job): boolean {
    if (this.#offer.slots === 0) return false;
    return task !== null && (task.resources.cores > this.#offer.cores || task.resources.memory > this.#offer.memory);
  }

  /** Ids of the jobs that run. */
  get running(): readonly string[] {
    return [...this.#taken.keys()];
  }

  /** Whether the offer has room for one more beside these. */
  hasRoom({ cores, memory }: Resources, beside: Iterable<{ readonly resources: Resources }>): boolean {
    const free = this.#left(beside);
    return free.slots > 0 && cores <= free.cores && memory <= free.memory;
  }

  /** Whether the quotas let this one start beside these. */
  mayStart(job: Starter, beside: readonly Taken[]): boolean {
    return this.#mayStart(job, beside);
  }

  /** What is left of the offer. Less than nothing after a restart under a smaller offer. */
  free(): Offer {
    return this.#left(this.#taken.values());
  }

  #left(taken: Iterable<{ readonly resources: Resources }>): Offer {
    let { slots, cores, memory } = this.#offer;
    for (const { resources } of taken) {
      slots -= 1;
      // thousandths: 0.1 + 0.2 must fit into 0.3
      cores = Math.round((cores - resources.cores) * 1000) / 1000;
      memory -= resources.memory;
    }
    return { slots, cores, memory };
  }

  take(job: Job): void {
    this.#served.set(job.owner ?? '', ++this.#turns);
    this.#taken.set(job.id, { owner: job.owner, groups: job.groups, resources: job.task?.resources ?? { cores: 0, memory: 0 } });
  }

  release(jobId: string): void {
    this.#taken.delete(jobId);
  }

  has(jobId: string): boolean {
    return this.#taken.has(jobId);
  }

  /**
   * The job whose turn it is, of the first in line of each owner, who waits longest first: that of the owner with the fewest jobs
   * running; of several such, of the one who was served longest ago; so nobody starves behind who always has one more. If it does not fit, nobody else is let past, or a large job would wait for ever behind small ones; one that never
   * will is let through, to be told so. Whom a quota holds back holds nobody up.
   */
  next(queued: readonly Job[]): Job | undefined {
    const running = new Map<string | null, number>();
    for (const { owner } of this.#taken.values()) running.set(owner, (running.get(owner) ?? 0) + 1);
    const had = ({ owner }: Job): number => running.get(owner) ?? 0;
    const served = ({ owner }: Job): number => this.#served.get(owner ?? '') ?? 0;
    // the order of the line, where there is nothing else between them
    const [best] = queued.filter((job) => this.#mayStart(job, [...this.#taken.values()])).toSorted((a, b) => had(a) - had(b) || served(a) - served(b));
    return best !== undefined && (this.fits(best) || this.neverFits(best)) ? best : undefined;
  }
}
