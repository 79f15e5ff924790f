import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { Job } from '../job/job.ts';
import { TERMINAL_PHASES } from '../job/phase.ts';
import type { Logger } from '../logger.ts';
import type { JobStore } from '../store/job-store.ts';
import type { ResultStore } from '../store/result-store.ts';
import type { JobQueue } from './job-queue.ts';
import { concernsAll } from './outage.ts';

export interface JobDestructionParts {
  readonly store: JobStore;
  readonly results: ResultStore;
  readonly engine: Engine;
  readonly queue: JobQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seconds for which the record of a destroyed job stays, ARCHIVED; 0 = it goes with the job. */
  readonly archive: number;
}

/** Jobs destroyed in one go, so that thousands that are due at once do not keep others waiting. */
const BATCH = 100;

/** The longest pause between two looks (milliseconds): for instants set by others, and for clocks that were put forward. */
const LONGEST_PAUSE = 5_000;

/** The pause after something could not be removed (milliseconds). */
const RETRY = 1_000;

/** The pause after which what one job left is tried again (milliseconds): an engine that is stuck with a container keeps whoever asks waiting. */
const STUCK = 60_000;

/** Jobs from which on the engine is asked once what it has, instead of for each of them. */
const MANY = 20;

/** Destroys jobs at their instant, and removes what deleted jobs left behind. A sweep, not a timer for each job. */
export class JobDestruction {
  readonly #parts: JobDestructionParts;
  readonly #shutdown = new AbortController();
  /** Archived jobs whose remains are still to be removed. After a restart, recovery finds them. */
  readonly #archived = new Set<string>();
  /** Jobs whose remains could not be removed, until when they are left alone, by the clock that never steps. */
  readonly #stuck = new Map<string, number>();
  #wake = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: JobDestructionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop = this.#sweeping();
  }

  /** Something was deleted, or an instant was set: look now. */
  wake(): void {
    this.#wake.abort();
  }

  async stop(): Promise<void> {
    this.#shutdown.abort();
    await this.#loop;
  }

  /** One sweep. True when there may be more to do at once. Throws what went wrong first, after everything else was tried. */
  async sweep(): Promise<boolean> {
    const { clock, engine, store } = this.#parts;
    const due = await store.due(clock.now(), BATCH);
    const failures: unknown[] = [];
    // together: they share the disk's syncs
    await Promise.all(due.map((job) => this.#destroy(job).catch((error: unknown) => failures.push(error))));
    const isFree = (jobId: string): boolean => !this.#parts.queue.runs(jobId) && clock.monotonic() >= (this.#stuck.get(jobId) ?? -Infinity);
    const deleted = (await store.deleted(2 * BATCH)).filter(isFree).slice(0, BATCH);
    const archived = [...this.#archived].filter(isFree).slice(0, BATCH);
    const there = deleted.length + archived.length < MANY ? undefined : await this.#there();
    let cleared = 0;
    for (const jobId of [...deleted, ...archived]) {
      if (this.#shutdown.signal.aborted) break;
      try {
        await this.#clear(jobId, there);
        cleared += 1;
      } catch (error) {
        failures.push(error);
        if (await concernsAll(error, engine)) break;
        this.#stuck.set(jobId, clock.monotonic() + STUCK);
      }
    }
    if (failures.length > 0) throw failures[0];
    return due.length === BATCH || cleared >= BATCH;
  }

  async #sweeping(): Promise<void> {
    const { clock, logger, store } = this.#parts;
    let failing = false;
    while (!this.#shutdown.signal.aborted) {
      this.#wake = new AbortController();
      let least = 50;
      try {
        if (await this.sweep()) least = 0;
        failing = false;
      } catch (error) {
        if (!failing) logger.warn({ err: error }, 'what destroyed jobs left cannot be removed at present; trying again');
        failing = true;
        least = RETRY;
      }
      const next = (await store.nextDestruction().catch(() => undefined)) ?? Infinity;
      const pause = least === 0 ? 0 : Math.min(Math.max(next - clock.now(), least), LONGEST_PAUSE);
      await clock.sleep(pause, AbortSignal.any([this.#wake.signal, this.#shutdown.signal]));
    }
  }

  async #destroy(job: Job): Promise<void> {
    const { archive, clock, store } = this.#parts;
    const now = clock.now();
    if (archive === 0 || job.phase === 'ARCHIVED') {
      await store.delete(job.id, now);
      return;
    }
    if (!TERMINAL_PHASES.has(job.phase)) await store.changePhase(job.id, { from: [job.phase], to: 'ABORTED', set: { endTime: Math.max(now, job.startTime ?? 0), quote: null } });
    const archived = await store.changePhase(job.id, { from: ['COMPLETED', 'ERROR', 'ABORTED'], to: 'ARCHIVED', set: { results: [], destruction: now + archive * 1000 } });
    if (archived !== undefined) this.#archived.add(job.id);
  }

  async #there(): Promise<ReadonlySet<string>> {
    return new Set((await this.#parts.engine.list()).map(({ jobId }) => jobId));
  }

  /**
   * `there`: what the engine has, where that is known; what is made later of a job that is gone, recovery removes. While a
   * runner works on the job its turn does not come: the runner sees that the job is gone, and lets go.
   */
  async #clear(jobId: string, there: ReadonlySet<string> | undefined): Promise<void> {
    const { engine, results, store } = this.#parts;
    if (there?.has(jobId) ?? true) await engine.remove(jobId);
    await results.deleteAll(jobId);
    await store.forget(jobId);
    this.#archived.delete(jobId);
    this.#stuck.delete(jobId);
  }
}
