import type { Clock } from '../clock.ts';
import type { JobStore } from '../store/job-store.ts';

/** Somebody else may work on the job now: whoever gets this stops acting, and touches neither the job nor its container. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export interface LeaseParts {
  readonly store: JobStore;
  readonly clock: Clock;
  /** Who this process is among those that work on the store. */
  readonly holder: string;
  /** How long a lease lasts without a heartbeat (milliseconds). */
  readonly length: number;
}

/**
 * This process's lease on every job that it has claimed. Others see its end by the wall clock, this process by a clock that
 * never steps, and counts from before the heartbeat was written: so it thinks itself dead sooner than others do.
 */
export class Lease {
  readonly holder: string;
  readonly #parts: LeaseParts;
  #until = -Infinity;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.holder = parts.holder;
  }

  /** One heartbeat. Throws Unavailable. */
  async renew(): Promise<void> {
    const { clock, holder, length, store } = this.#parts;
    const from = clock.monotonic();
    await store.heartbeat(holder, clock.now(), length);
    this.#until = from + length;
  }

  /** Whether it is in force: it has been renewed in time. */
  get valid(): boolean {
    return this.#parts.clock.monotonic() < this.#until;
  }

  /** Whether this process may act for the job: its lease has not run out, and nobody has taken the job over. */
  async holds(jobId: string): Promise<boolean> {
    return this.valid && (await this.#parts.store.holds(jobId, this.holder));
  }

  /** To be asked before everything that the engine is told to do for the job. Throws LeaseLost. */
  async mustHold(jobId: string): Promise<void> {
    if (!(await this.holds(jobId))) throw new LeaseLost(`the lease on job ${jobId} is lost`);
  }

  /** No job is held any more. */
  async retire(): Promise<void> {
    this.#until = -Infinity;
    await this.#parts.store.retire(this.holder);
  }
}
