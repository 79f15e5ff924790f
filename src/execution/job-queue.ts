import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.ts';
import type { Job } from '../job/job.ts';
import type { Logger } from '../logger.ts';
import type { JobStore } from '../store/job-store.ts';
import type { Admission } from './admission.ts';
import type { Closure } from './closure.ts';
import type { JobRunner } from './job-runner.ts';
import type { Tries } from './job-work.ts';
import type { Lease } from './lease.ts';
import type { Slots } from './slots.ts';

export interface JobQueueParts {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runner: JobRunner;
  readonly slots: Slots;
  readonly lease: Lease;
  readonly admission: Admission;
  /** Why nothing is started at present, beside a drain; undefined = nothing stands in the way. */
  readonly closed: () => Closure | undefined;
  /** Between two heartbeats (milliseconds): a third of the lease. */
  readonly beat: number;
}

/** Looks for what nobody told of (milliseconds): jobs queued by a process that died, leases that ran out, jobs that others changed. */
const LOOK = 2_000;

/** A job that could not be started is tried again after this (milliseconds); each further pause is twice as long, up to `LATEST`. */
const LATER = 3_000;
const LATEST = 60_000;

const HELD_BACK = 'waiting: a quota of CPU time within a day is used up';

const NONE: Tries = { all: 0, counted: 0 };

/** A job that has to wait before its next try; others pass it meanwhile. */
interface Deferred {
  readonly tries: Tries;
  /** By the clock that never steps. */
  readonly until: number;
}

/** Starts queued jobs, in turn and within the offer, and keeps the lease on those that run. */
export class JobQueue {
  readonly #parts: JobQueueParts;
  readonly #shutdown = new AbortController();
  readonly #active = new Map<string, Promise<void>>();
  readonly #deferred = new Map<string, Deferred>();
  #wake = new AbortController();
  #loops: Promise<void>[] = [];
  #open = false;
  #draining = false;

  constructor(parts: JobQueueParts) {
    this.#parts = parts;
    // every job that runs listens to it
    setMaxListeners(0, this.#shutdown.signal);
  }

  /** Takes part: resolves when the first heartbeat is stored; from then on jobs may be adopted, and started once `open`. */
  async start(): Promise<void> {
    await this.#parts.lease.renew();
    this.#loops = [this.#beating(), this.#dispatching()];
  }

  /** Starts queued jobs from now on: what ran before is known, so the offer is not given twice. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.wake();
  }

  /** A job was queued, or something else changed that may let one start. */
  wake(): void {
    this.#wake.abort();
  }

  /** Whether a runner of this process works on the job. */
  runs(jobId: string): boolean {
    return this.#active.has(jobId);
  }

  /** Starts no more jobs. Those that run go on. */
  drain(): void {
    this.#draining = true;
  }

  /** Starts jobs again. */
  resume(): void {
    this.#draining = false;
    this.wake();
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Resolves when this process works on no job any more, for whatever reason. */
  async idle(): Promise<void> {
    while (this.#active.size > 0) await Promise.race(this.#active.values());
  }

  /** Takes over a job that runs already (after a restart), beyond the offer if need be. False if it is somebody else's. */
  async adopt(jobId: string): Promise<boolean> {
    const { clock, lease, store } = this.#parts;
    if (this.#shutdown.signal.aborted || !lease.valid || this.runs(jobId) || this.#waits(jobId)) return false;
    const job = await store.claim(jobId, lease.holder, clock.now());
    if (job === undefined || this.runs(jobId)) return false;
    this.#launch(job, this.#deferred.get(jobId)?.tries ?? { ...NONE, all: 1 });
    return true;
  }

  /** Lets go of every job, without stopping its container; resolves when all leases are given back. */
  async stop(): Promise<void> {
    this.#shutdown.abort();
    this.#wake.abort();
    await Promise.all(this.#loops);
    await Promise.all(this.#active.values());
    await this.#parts.lease.retire().catch(() => undefined);
  }

  async #beating(): Promise<void> {
    const { beat, clock, lease, logger } = this.#parts;
    while (!this.#shutdown.signal.aborted) {
      await clock.sleep(beat, this.#shutdown.signal);
      const lost = !lease.valid;
      await lease.renew().then(
        () => (lost ? logger.warn({}, 'the heartbeat was late: jobs may have been taken over by others') : undefined),
        (error: unknown) => logger.error({ err: error }, 'the heartbeat could not be stored'),
      );
    }
  }

  async #dispatching(): Promise<void> {
    const { clock, logger, runner } = this.#parts;
    let looked = -Infinity;
    while (!this.#shutdown.signal.aborted) {
      this.#wake = new AbortController();
      if (clock.monotonic() - looked >= LOOK) {
        looked = clock.monotonic();
        runner.look();
      }
      await this.#dispatch().catch((error: unknown) => logger.error({ err: error }, 'the queue could not be read'));
      await clock.sleep(LOOK, AbortSignal.any([this.#wake.signal, this.#shutdown.signal]));
    }
  }

  async #dispatch(): Promise<void> {
    const { clock, closed, lease, slots, store } = this.#parts;
    while (this.#open && !this.#draining && closed() === undefined && !this.#shutdown.signal.aborted && lease.valid && slots.free().slots > 0) {
      const except = [...this.#active.keys(), ...[...this.#deferred.keys()].filter((jobId) => this.#waits(jobId))];
      const line = await store.firstInLine(lease.holder, clock.now(), except);
      const held = await Promise.all(line.map((job) => this.#holdsBack(job)));
      const next = slots.next(line.filter((_, i) => held[i] !== true));
      if (next === undefined) return;
      const job = await store.claim(next.id, lease.holder, clock.now());
      if (job !== undefined && !this.runs(job.id)) this.#launch(job, this.#deferred.get(job.id)?.tries ?? NONE);
    }
  }

  /** Whether a quota keeps the job waiting, which it then says. */
  async #holdsBack(job: Job): Promise<boolean> {
    const { admission, store } = this.#parts;
    if (!(await admission.holdsBack(job))) return false;
    // news for whoever looks: losing it is harmless
    if (job.info.message !== HELD_BACK) await store.update(job.id, ['QUEUED'], { info: { ...job.info, message: HELD_BACK } }).catch(() => undefined);
    return true;
  }

  /** Whether the job's next try is not due yet. */
  #waits(jobId: string): boolean {
    return this.#parts.clock.monotonic() < (this.#deferred.get(jobId)?.until ?? -Infinity);
  }

  #launch(job: Job, tries: Tries): void {
    const { logger, runner, slots } = this.#parts;
    slots.take(job);
    const work = async (): Promise<void> => {
      try {
        const result = await runner.run(job, tries, this.#shutdown.signal);
        if (result === 'later' || result === 'waits') this.#defer(job.id, tries, result === 'later' ? 1 : 0);
        if (result === 'done') this.#deferred.delete(job.id);
      } catch (error) {
        logger.error({ job: job.id, err: error }, 'the job was dropped; recovery will take it up');
        this.#defer(job.id, tries, 1);
      } finally {
        slots.release(job.id);
        this.#active.delete(job.id);
        this.wake();
      }
    };
    this.#active.set(job.id, work());
  }

  #defer(jobId: string, { all, counted }: Tries, more: 0 | 1): void {
    const now = this.#parts.clock.monotonic();
    // who has waited and was never seen again has ended elsewhere
    for (const [other, { until }] of this.#deferred) if (until + 10 * LATEST < now) this.#deferred.delete(other);
    this.#deferred.set(jobId, { tries: { all: all + 1, counted: counted + more }, until: now + Math.min(LATER * 2 ** all, LATEST) });
  }
}
