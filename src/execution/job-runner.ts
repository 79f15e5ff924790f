import type { Clock } from '../clock.ts';
import { type Engine, EngineRefused, type EngineRun } from '../engine/engine.ts';
import { GatewayError, isTemporary } from '../errors.ts';
import type { Job, JobError } from '../job/job.ts';
import type { SecretBox } from '../job/secret-box.ts';
import { SecretsLost } from '../job/secrets.ts';
import type { Logger } from '../logger.ts';
import type { JobStore } from '../store/job-store.ts';
import type { DiskWatch } from './disk-watch.ts';
import { JobEnding, type JobEndingParts } from './job-ending.ts';
import { Guard, isInterruption } from './job-guard.ts';
import { liveResults } from './job-results.ts';
import { laterSecrets } from './job-secrets.ts';
import type { JobStart } from './job-start.ts';
import type { JobWatch } from './job-watch.ts';
import { END_TRIES, fetching, fromStart, limitOf, ranFor, stopwatch, type Tries, type Work } from './job-work.ts';
import { type Lease, LeaseLost } from './lease.ts';
import { quoteOf, withQuote } from './quote.ts';

export interface JobRunnerParts extends JobEndingParts {
  readonly store: JobStore;
  readonly engine: Engine;
  readonly watch: JobWatch;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly start: JobStart;
  readonly disk: DiskWatch;
  readonly lease: Lease;
  readonly secrets: SecretBox;
}

/** The first pause between two tries (milliseconds); each further one is twice as long, up to `LONGEST`. */
const RETRY = 1_000;
const LONGEST = 5_000;

/** Tries to start a job for which the registry, or the engine's way to it, fails. Some minutes, by the queue's pauses. */
const START_TRIES = 6;

/** `waits`: as `later`, and not counted. `lost`: somebody else may have the job now, or the gateway stops. */
type Next = 'done' | 'later' | 'waits' | 'lost' | 'again' | 'at-once';

/** Takes one claimed job from where it stands to its end, and removes what it left on the engine. */
export class JobRunner {
  readonly #parts: JobRunnerParts;
  readonly #ending: JobEnding;
  readonly #guards = new Map<string, Guard>();

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
    this.#ending = new JobEnding(parts);
  }

  /**
   * Resolves when the job is over and nothing of it is left on the engine; `later` or `waits` when it must wait before its next try, which is counted or not; `lost`
   * when somebody else may have it now, or soon after `shutdown`, which leaves containers running. `tries`: how often it had to
   * wait before.
   */
  async run(job: Job, tries: Tries, shutdown: AbortSignal): Promise<'done' | 'later' | 'waits' | 'lost'> {
    const { clock, lease, store } = this.#parts;
    const guard = new Guard(job.id, this.#parts, shutdown);
    const work: Work = { guard, shutdown, tries, job, ran: undefined, stopped: false, missed: false, overDisk: false, outage: false, unwatched: false, end: undefined, measuring: undefined, failures: 0, pauses: 0 };
    this.#guards.set(job.id, guard);
    try {
      for (;;) {
        const next = await this.#step(work)
          .catch((error: unknown) => this.#after(error, work))
          .catch((error: unknown) => this.#countFailure(error, work));
        if (next === 'done' || next === 'later' || next === 'waits' || next === 'lost') return next;
        if (next === 'at-once') continue;
        await clock.sleep(Math.min(RETRY * 2 ** work.pauses, LONGEST), guard.reason === 'over' ? shutdown : guard.signal);
        work.pauses += 1;
      }
    } finally {
      this.#guards.delete(job.id);
      guard.close();
      await work.measuring;
      // not given back, it is still this process's own, and recovery takes it up
      await store.release(job.id, lease.holder).catch(() => undefined);
    }
  }

  /** Reads where the jobs stand that are run here: others may have changed them, and told nobody. */
  look(): void {
    for (const guard of this.#guards.values()) guard.glance();
  }

  /** Ends every job that runs here, with a message; one that only waits for its start goes on waiting. */
  async abortAll(message: string): Promise<void> {
    const abort = async (jobId: string): Promise<void> => {
      const job = await this.#parts.store.get(jobId);
      if (job?.phase === 'EXECUTING') await this.#ending.abort(job, message);
    };
    await Promise.all([...this.#guards.keys()].map((jobId) => abort(jobId).catch((error: unknown) => this.#log(jobId, error))));
  }

  /** Stops a container of a job that is over already and on which nobody works, keeps what it has written, and removes it. */
  async finish(jobId: string, signal: AbortSignal): Promise<void> {
    await this.#ending.finish(jobId, { signal, onRefusal: 'leave-out' });
  }

  /** Ends a job whose container is gone: nobody can know how it ended. */
  async lost(job: Job): Promise<void> {
    await this.#ending.lost(job, undefined);
  }

  async #step(work: Work): Promise<'done'> {
    const { guard, job, shutdown } = work;
    if (guard.reason === 'over') {
      await this.#ending.finish(job.id, fetching(work, shutdown));
      return 'done';
    }
    guard.signal.throwIfAborted();
    if (job.phase === 'QUEUED' && !(await this.#begin(work))) return 'done';
    await this.#untilOver(work);
    return 'done';
  }

  /** False when the job could not be started, and has ended. */
  async #begin(work: Work): Promise<boolean> {
    const { clock, lease, start, store } = this.#parts;
    const { guard, job } = work;
    const started = await start.start(job, work.tries.all > 0 || work.failures > 0, guard);
    if ('refused' in started) {
      await this.#ending.fail(job, started.refused, started.decision);
      return false;
    }
    const { run, task, decision, info } = started;
    if (started.now) work.ran = stopwatch(clock, 0);
    const startTime = run.startedAt ?? clock.now();
    const quote = quoteOf(startTime, job.executionDuration);
    const executing = await store.changePhase(job.id, { from: ['QUEUED'], to: 'EXECUTING', set: { startTime, quote, results: liveResults(task), task, decision, info } }, lease.holder);
    if (executing === undefined) {
      await guard.look();
      guard.signal.throwIfAborted();
      throw new Error('a job that was QUEUED is not any more, and not over');
    }
    work.job = executing;
    work.job = await withQuote(store, executing, lease.holder);
    return true;
  }

  /** Waits for the end of the container, or ends it at its limit, which may be changed meanwhile. */
  async #untilOver(work: Work): Promise<void> {
    const { guard } = work;
    work.measuring ??= this.#parts.usage.follow(work.job, guard.signal);
    for (;;) {
      const change = guard.change();
      try {
        guard.signal.throwIfAborted();
        work.job = (await this.#parts.store.get(work.job.id)) ?? work.job;
        if (work.ran === undefined) await this.#measure(work);
        work.end ??= await this.#end(work, change.happened);
        if (work.end === undefined) continue;
        const { run, overLimit } = work.end;
        const overDisk = work.overDisk ? { overDisk: this.#parts.disk.limit } : {};
        await this.#ending.conclude(work.job, run, { overLimit, missed: work.missed, ...overDisk, outage: work.outage, unwatched: work.unwatched }, fetching(work, guard.signal));
        return;
      } finally {
        change.cancel();
      }
    }
  }

  /** How long a container has run that somebody else has started, by the engine's own clock, which need not be ours. */
  async #measure(work: Work): Promise<void> {
    const { clock, engine } = this.#parts;
    const { guard, job } = work;
    const run = await this.#present(work);
    const ranUntilNow = async (): Promise<number> => Math.max(0, (await engine.time(guard.signal)) - (run.startedAt ?? Infinity));
    if (run.state === 'exited') {
      work.missed = ranFor(run) >= limitOf(job);
      // stopped while nothing of it ran: its last end is before its limit then
      work.end = { run, overLimit: work.missed || (run.exit?.stopped === true && (await ranUntilNow()) >= limitOf(job)) };
      return;
    }
    const ran = await ranUntilNow();
    work.missed = ran >= limitOf(job);
    work.ran = stopwatch(clock, ran);
  }

  /** The container's end, by itself or at its limit; undefined when the job has changed before. */
  async #end(work: Work, changed: Promise<void>): Promise<Work['end']> {
    const { engine, lease, limits } = this.#parts;
    const event = await this.#next(work, changed);
    work.pauses = 0;
    if (event === 'changed') return undefined;
    if (typeof event === 'object') return { run: event, overLimit: work.stopped };
    if ((await this.#present(work)).state === 'running') {
      await lease.mustHold(work.job.id);
      await this.#parts.usage.measure(work.job.id, work.guard.signal);
      if (event === 'disk') work.overDisk = true;
      else work.stopped = true;
      // what fills the disk gets no time to fill it further
      await engine.stop(work.job.id, event === 'disk' ? 0 : limits.grace);
    }
    const run = await this.#present(work);
    return run.state === 'exited' ? { run, overLimit: work.stopped || ranFor(run) >= limitOf(work.job) } : undefined;
  }

  /** The container's end, a limit (of time, of the disk), or a change of the job, whichever is first. */
  async #next({ guard, job, ran }: Work, changed: Promise<void>): Promise<EngineRun | 'limit' | 'disk' | 'changed'> {
    const { clock, disk, engine } = this.#parts;
    const secrets = laterSecrets(job, this.#parts.secrets);
    const race = new AbortController();
    const signal = AbortSignal.any([race.signal, guard.signal]);
    const left = limitOf(job) - (ran?.() ?? 0);
    const limit = async (): Promise<'limit'> => {
      await clock.sleep(Math.max(left, 0), signal);
      // a sleep also ends when its signal aborts: that is not the limit
      signal.throwIfAborted();
      return 'limit';
    };
    const wait = async (): Promise<EngineRun> => fromStart(await engine.wait(job.id, signal, { mayAct: () => guard.mayAct(), ...(secrets === undefined ? {} : { secrets }) }), job);
    try {
      const full = disk.over(job.id, signal).then(() => 'disk' as const);
      return await Promise.race([wait(), changed.then(() => 'changed' as const), full, ...(left === Infinity ? [] : [limit()])]);
    } finally {
      race.abort();
    }
  }

  async #present({ guard, job }: Work): Promise<EngineRun> {
    const run = await this.#parts.engine.inspect(job.id, guard.signal);
    if (run === undefined || run.state === 'created') throw new EngineRefused('the container is gone');
    return fromStart(run, job);
  }

  /** What to do after a step has failed. */
  async #after(error: unknown, work: Work): Promise<Next> {
    const { guard, job, shutdown } = work;
    if (shutdown.aborted || guard.reason === 'lost' || error instanceof LeaseLost) return 'lost';
    if (isInterruption(error)) return 'at-once';
    if (error instanceof GatewayError && error.code === 'EngineUnavailable') {
      work.outage = true;
      work.unwatched ||= work.end === undefined;
    }
    if (guard.reason === 'over') return isTemporary(error) ? 'again' : this.#countFailure(error, work);
    return job.phase === 'QUEUED' ? this.#notStarted(error, work) : this.#notEnded(error, work);
  }

  async #notStarted(error: unknown, work: Work): Promise<Next> {
    const { job, tries } = work;
    const reason = errorOf(error);
    const outage = isOutageHere(error);
    if (outage || (reason.type === 'transient' && tries.counted + 1 < START_TRIES)) {
      if (!isExpected(error)) this.#log(job.id, error);
      const message = `waiting: ${reason.message}`;
      await this.#parts.store.update(job.id, ['QUEUED'], { info: { ...job.info, message } }, this.#parts.lease.holder).catch(() => undefined);
      return outage ? 'waits' : 'later';
    }
    await this.#ending.fail(job, reason);
    return 'done';
  }

  async #notEnded(error: unknown, work: Work): Promise<Next> {
    if (isTemporary(error)) return 'again';
    if (error instanceof EngineRefused) {
      const run = await this.#parts.engine.inspect(work.job.id);
      if (run === undefined || run.state === 'created') {
        await this.#ending.lost(work.job, work.end?.run);
        return 'done';
      }
    }
    // what the site has lost does not come back by trying again
    const next = error instanceof SecretsLost ? 'later' : this.#countFailure(error, work);
    if (next !== 'later') return next;
    await this.#ending.fail(work.job, errorOf(error));
    return 'done';
  }

  /** Failures that should not be, or should not last. */
  #countFailure(error: unknown, work: Work): 'again' | 'later' | 'lost' {
    if (work.shutdown.aborted || error instanceof LeaseLost) return 'lost';
    if (isTemporary(error)) return 'again';
    this.#log(work.job.id, error);
    work.failures += 1;
    return work.failures < END_TRIES ? 'again' : 'later';
  }

  #log(jobId: string, error: unknown): void {
    this.#parts.logger.error({ job: jobId, err: error }, 'a step of the job failed');
  }
}

/** Engine and store are the site's own: jobs wait for them, however long it takes. */
function isOutageHere(error: unknown): boolean {
  return error instanceof GatewayError && (error.code === 'EngineUnavailable' || error.code === 'Unavailable');
}

function isExpected(error: unknown): boolean {
  return error instanceof GatewayError || error instanceof EngineRefused;
}

function errorOf(error: unknown): JobError {
  if (error instanceof EngineRefused) return { type: error.temporary ? 'transient' : 'fatal', message: error.message };
  if (error instanceof GatewayError) return { type: isTemporary(error) ? 'transient' : 'fatal', message: error.message };
  return { type: 'transient', message: 'the gateway failed while it ran the job' };
}
