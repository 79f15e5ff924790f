import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { JobStore } from '../store/job-store.ts';
import type { ResultStore } from '../store/result-store.ts';
import type { UsageStore } from '../store/usage-store.ts';
import type { JobQueue } from './job-queue.ts';
import type { JobRunner } from './job-runner.ts';
import type { Lease } from './lease.ts';
import { concernsAll } from './outage.ts';
import type { Slots } from './slots.ts';
import { type EngineState, RECOVERY, type StoreState } from './recovery-table.ts';

export interface JobRecoveryParts {
  readonly store: JobStore;
  readonly results: ResultStore;
  readonly engine: Engine;
  readonly queue: JobQueue;
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lease: Lease;
  readonly slots: Slots;
  readonly usage: UsageStore;
  /** Seconds for which it is known what a job has used, from its end. */
  readonly keepUsage: number;
  /** Called once the engine has answered, before queued jobs are started. */
  readonly ready: () => Promise<void>;
}

/** Between two passes (milliseconds). */
const INTERVAL = 10_000;

/** After a pass that failed because the engine did not answer (milliseconds). */
const RETRY = 1_000;

/** Jobs in EXECUTING looked at in one pass; those beyond wait for the next. */
const MOST = 10_000;

/** Jobs settled at once: each is some calls to the engine. */
const AT_ONCE = 8;

/** Passes between two looks for results that belong to no job, and for usage that is kept no longer. */
const SWEEP_EVERY = 360;

/** Brings store and engine together again after whatever happened: every job on which nobody works, by the table. */
export class JobRecovery {
  readonly #parts: JobRecoveryParts;
  readonly #shutdown = new AbortController();
  /** Jobs that are being stopped for good: that takes as long as their grace, and nobody shall wait for it. */
  readonly #finishing = new Map<string, Promise<void>>();
  #loop: Promise<void> = Promise.resolve();
  #obstacle: string | undefined = 'the gateway has just started, and looks at what runs already';

  constructor(parts: JobRecoveryParts) {
    this.#parts = parts;
  }

  /** Recovers now and then; opens the queue once what runs already is known. */
  start(): void {
    this.#loop = this.#recovering();
  }

  /** Why it is not known at present what runs, in words for owners of jobs; undefined = it is. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  async stop(): Promise<void> {
    this.#shutdown.abort();
    await this.#loop;
    await Promise.all(this.#finishing.values());
  }

  async #recovering(): Promise<void> {
    const { clock, logger, queue, ready } = this.#parts;
    let known = false;
    let reachable = true;
    for (let pass = 0; !this.#shutdown.signal.aborted; pass += 1) {
      try {
        await this.recover();
        if (!known) await ready();
        known = true;
        queue.open();
        this.#obstacle = undefined;
        if (!reachable) logger.info({}, 'store and engine can be compared again');
        reachable = true;
        if (pass % SWEEP_EVERY === 0) await this.#sweep();
      } catch (error) {
        if (reachable) logger.warn({ err: error }, 'store and engine cannot be compared at present; jobs wait');
        reachable = false;
        this.#obstacle = error instanceof GatewayError ? error.message : 'the container engine cannot tell at present what runs';
      }
      await clock.sleep(reachable ? INTERVAL : RETRY, this.#shutdown.signal);
    }
  }

  /**
   * One pass. Throws EngineUnavailable; nothing is decided then, since a silent engine says nothing about containers. What fails
   * for one job does not keep it from the others.
   */
  async recover(): Promise<void> {
    const { clock, engine, lease, queue, store } = this.#parts;
    // the store first: a job that starts meanwhile has its container in the later list
    const executing = await store.unclaimed(lease.holder, clock.now(), MOST);
    const runs = new Map((await engine.list()).map((run) => [run.jobId, run.state]));
    const jobs = [...new Set([...executing.map(({ id }) => id), ...runs.keys()])].filter((jobId) => !queue.runs(jobId));
    let outage: unknown;
    const settleAll = async (): Promise<void> => {
      for (let jobId = jobs.shift(); jobId !== undefined && !this.#shutdown.signal.aborted; jobId = jobs.shift()) {
        const state = runs.get(jobId) ?? 'none';
        // nothing is guessed of a container with which the engine is stuck
        if (state === 'unknown') continue;
        await this.#settle(jobId, state).catch(async (error: unknown) => {
          if (await concernsAll(error, engine)) outage ??= error;
          else this.#failed(jobId, error);
        });
        if (outage !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, settleAll));
    if (outage !== undefined) throw outage instanceof Error ? outage : new Error('an outage', { cause: outage });
  }

  async #sweep(): Promise<void> {
    const { clock, keepUsage, usage } = this.#parts;
    await usage.forget(clock.now() - keepUsage * 1000);
    await this.sweepResults();
    await this.#sweepPromises();
  }

  /** Ends what jobs promise whose containers were gone before what they wrote was kept: the engine has nothing of them, and so recovery does not see them. */
  async #sweepPromises(): Promise<void> {
    const { clock, lease, store } = this.#parts;
    for (const { id } of await store.unkept(MOST)) {
      const standing = await store.standing(id, clock.now());
      if (this.#finishing.has(id) || (standing?.holder ?? lease.holder) !== lease.holder) continue;
      await this.#finish(id);
      // one after the other: there is nothing left that could take its time
      await this.#finishing.get(id);
    }
  }

  /** Removes results of jobs that are gone or archived: the process died between the record and the files. */
  async sweepResults(): Promise<void> {
    const { clock, queue, results, store } = this.#parts;
    for (const jobId of await results.jobs()) {
      const standing = await store.standing(jobId, clock.now());
      if (queue.runs(jobId) || (standing !== undefined && standing.phase !== 'ARCHIVED')) continue;
      await results.deleteAll(jobId).catch((error: unknown) => this.#failed(jobId, error));
    }
  }

  async #settle(jobId: string, engineState: EngineState): Promise<void> {
    const { clock, engine, lease, logger, queue, store } = this.#parts;
    const standing = await store.standing(jobId, clock.now());
    // somebody works on it; his own that he does not work on are for this process to settle
    if (this.#finishing.has(jobId) || queue.runs(jobId) || (standing?.holder ?? lease.holder) !== lease.holder) return;
    const storeState: StoreState = standing?.phase ?? 'nothing';
    const action = RECOVERY[storeState][engineState];
    if (action !== 'leave' && action !== 'queue') logger.info({ job: jobId, store: storeState, engine: engineState, action }, 'recovery');
    switch (action) {
      case 'leave':
      case 'queue':
        return;
      case 'adopt':
        await queue.adopt(jobId);
        return;
      case 'lost':
        await this.#lost(jobId);
        return;
      case 'finish':
        await this.#finish(jobId);
        return;
      case 'remove':
        await engine.remove(jobId);
        return;
    }
  }

  async #lost(jobId: string): Promise<void> {
    const { clock, engine, lease, runner, store } = this.#parts;
    const job = await store.claim(jobId, lease.holder, clock.now());
    if (job === undefined) return;
    try {
      // the list is some moments old: others may have done something since
      const run = job.phase === 'EXECUTING' ? await engine.inspect(jobId) : undefined;
      if (job.phase === 'EXECUTING' && (run === undefined || run.state === 'created')) await runner.lost(job);
    } finally {
      await store.release(jobId, lease.holder);
    }
  }

  /** Resolves when that has begun, in the background: what still runs in its grace has its part of the offer, which is not given twice. */
  async #finish(jobId: string): Promise<void> {
    const { queue, slots, store } = this.#parts;
    const job = await store.get(jobId);
    if (this.#finishing.has(jobId) || queue.runs(jobId)) return;
    if (job !== undefined) slots.take(job);
    const finished = this.#parts.runner
      .finish(jobId, this.#shutdown.signal)
      .catch((error: unknown) => this.#failed(jobId, error))
      .finally(() => {
        this.#finishing.delete(jobId);
        slots.release(jobId);
        queue.wake();
      });
    this.#finishing.set(jobId, finished);
  }

  #failed(jobId: string, error: unknown): void {
    if (this.#shutdown.signal.aborted) return;
    this.#parts.logger.warn({ job: jobId, err: error }, 'the job could not be settled; trying again');
  }
}
