import type { Clock } from '../clock.ts';
import type { Engine, EngineRun } from '../engine/engine.ts';
import type { Job, JobError, JobInfo } from '../job/job.ts';
import type { JobStore } from '../store/job-store.ts';
import type { ResultStore } from '../store/result-store.ts';
import { type Collected, collectResults, type OnRefusal } from './job-results.ts';
import { type Lease, LeaseLost } from './lease.ts';
import type { JobLimits } from './limits.ts';
import { type Circumstances, endOf, outcomeOf } from './outcome.ts';
import type { UsageWatch } from './usage-watch.ts';

export interface JobEndingParts {
  readonly store: JobStore;
  readonly results: ResultStore;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: JobLimits;
  readonly lease: Lease;
  readonly usage: UsageWatch;
}

/** What is written with the last phase. */
interface End {
  readonly results?: Job['results'];
  readonly error?: JobError | null;
  readonly info?: JobInfo;
  readonly decision?: Job['decision'];
  readonly endTime?: number | undefined;
}

/** How the results are fetched. */
export interface Fetching {
  readonly signal: AbortSignal;
  readonly onRefusal: OnRefusal;
}

/** Bytes of stderr that are shown as the error's detail. */
const DETAIL = 4_096;

const LOST = 'what the job had written is lost: the engine no longer has its container';

/** An engine that is killed loses what a program writes meanwhile when the program ends before it is back, and shows the shorter log as a whole one. */
const UNWATCHED = 'the container engine was away while the job ran: of what it wrote to stdout and stderr, the last may be missing';

/**
 * How jobs end: what they have written first, then the record, then the container's removal; so whatever is interrupted can be
 * done again. All but `finish` are for the holder of the job, and throw LeaseLost when he no longer is.
 */
export class JobEnding {
  readonly #parts: JobEndingParts;

  constructor(parts: JobEndingParts) {
    this.#parts = parts;
  }

  /** The container is over: keeps what it has written, records the end, removes it. */
  async conclude(job: Job, run: EngineRun, circumstances: Circumstances, fetching: Fetching): Promise<void> {
    const collected = withWarning(await this.#collect(job, fetching), circumstances);
    const outcome = outcomeOf(run, job, circumstances);
    const error = outcome.error !== null && outcome.phase === 'ERROR' ? await this.#withDetail(job.id, outcome.error, collected) : outcome.error;
    const info: JobInfo = { ...job.info, ...outcome.info, ...(await this.#facts(job.id, collected)) };
    const ended = await this.#end(job, outcome.phase, { results: collected.results, error, info, endTime: endOf(run, job, circumstances) });
    if (!ended) await this.#parts.store.update(job.id, ['ABORTED'], { results: collected.results, info });
    await this.#remove(job.id);
  }

  /** The container is gone; `last` is what was seen of it before. */
  async lost(job: Job, last: EngineRun | undefined): Promise<void> {
    const code = last?.exit?.code;
    const known = code === undefined ? 'how it ended is not known' : `it had ended with exit code ${String(code)}, but what it wrote was not kept yet`;
    const error: JobError = { type: 'transient', message: `the container was lost: the engine no longer has it, and ${known}` };
    await this.#end(job, 'ERROR', { error, results: [], info: { ...job.info, ...(code === undefined ? {} : { exitCode: code }), ...(await this.#facts(job.id)) }, endTime: last?.finishedAt });
    await this.#removeAll(job.id);
  }

  /** The job cannot be started or not be ended properly. */
  async fail(job: Job, error: JobError, decision?: Job['decision']): Promise<void> {
    const facts = job.phase === 'QUEUED' ? {} : { info: { ...job.info, ...(await this.#facts(job.id)) } };
    await this.#end(job, 'ERROR', { error, ...facts, results: [], ...(decision === undefined ? {} : { decision }) });
    await this.#removeAll(job.id);
  }

  /** Ends a job that runs because the site says so. */
  async abort(job: Job, message: string): Promise<void> {
    await this.#end(job, 'ABORTED', { error: { type: 'transient', message } });
  }

  /** Stops the container of a job that is over already, keeps what it has written where somebody may still read it, removes it. What is gone with the container is promised no longer. */
  async finish(jobId: string, fetching: Fetching): Promise<void> {
    const { engine, limits, store, usage } = this.#parts;
    await usage.measure(jobId, fetching.signal);
    await engine.stop(jobId, limits.grace);
    const [run, job] = await Promise.all([engine.inspect(jobId), store.get(jobId)]);
    if (job?.phase === 'ABORTED') {
      if (run?.state === 'exited') await this.#keep(job, await this.#collect(job, fetching));
      else if (isPromised(job)) {
        await this.#parts.results.deleteAll(jobId);
        await this.#keep(job, { results: [], warnings: [LOST] });
      }
    }
    await engine.remove(jobId);
  }

  /** What has come of a job that was ended before its results were. */
  async #keep(job: Job, collected: Collected): Promise<void> {
    await this.#parts.store.update(job.id, ['ABORTED'], { results: collected.results, info: { ...job.info, ...(await this.#facts(job.id, collected)) } });
  }

  /** False when the job is over already. */
  async #end(job: Job, to: 'COMPLETED' | 'ERROR' | 'ABORTED', set: End): Promise<boolean> {
    const { clock, lease, store } = this.#parts;
    const endTime = Math.max(set.endTime ?? clock.now(), job.startTime ?? 0);
    const change = { from: ['QUEUED', 'EXECUTING'], to, set: { ...set, endTime, quote: null } } as const;
    if ((await store.changePhase(job.id, change, lease.holder)) !== undefined) return true;
    if (!(await lease.holds(job.id))) throw new LeaseLost(`the lease on job ${job.id} was lost before its end`);
    return false;
  }

  /** Also what was kept of it before the end was another: no record tells of that, and no budget counts it. */
  async #removeAll(jobId: string): Promise<void> {
    await this.#parts.lease.mustHold(jobId);
    await this.#parts.results.deleteAll(jobId);
    await this.#remove(jobId);
  }

  async #remove(jobId: string): Promise<void> {
    await this.#parts.lease.mustHold(jobId);
    await this.#parts.engine.remove(jobId);
  }

  #collect(job: Job, { onRefusal, signal }: Fetching): Promise<Collected> {
    return collectResults(job, this.#parts, onRefusal, signal);
  }

  async #withDetail(jobId: string, error: JobError, { results }: Collected): Promise<JobError> {
    const size = results.find(({ id }) => id === 'stderr')?.size ?? 0;
    if (size === 0) return error;
    const tail = await this.#parts.results.read(jobId, 'stderr', { start: Math.max(0, size - DETAIL), end: size - 1 });
    if (tail === undefined) return error;
    const bytes: Buffer[] = [];
    for await (const chunk of tail as AsyncIterable<Buffer>) bytes.push(chunk);
    return { ...error, detail: `${error.message}\n\nThe end of stderr:\n${Buffer.concat(bytes).toString('utf8')}` };
  }

  /** What is known of a job once it is over. */
  async #facts(jobId: string, collected?: Collected): Promise<JobInfo> {
    const usage = await this.#parts.usage.used(jobId);
    return {
      ...(usage === undefined ? {} : { usage }),
      ...(collected === undefined ? {} : { resultBytes: collected.results.reduce((sum, { size }) => sum + (size ?? 0), 0) }),
      ...(collected === undefined || collected.warnings.length === 0 ? {} : { warnings: collected.warnings }),
    };
  }
}

/** Whether the job still tells of results as of one that writes them. */
function isPromised({ results }: Job): boolean {
  return results.some(({ size }) => size === undefined);
}

function withWarning(collected: Collected, { unwatched }: Circumstances): Collected {
  return unwatched ? { ...collected, warnings: [UNWATCHED, ...collected.warnings] } : collected;
}
