import { constants } from 'node:os';
import type { Instant } from '../clock.ts';
import type { EngineRun, Exit } from '../engine/engine.ts';
import type { Job, JobError, JobInfo } from '../job/job.ts';
import { formatSize } from '../task/units.ts';

/** What a container's end means for its job. */
export interface Outcome {
  readonly phase: 'COMPLETED' | 'ERROR' | 'ABORTED';
  readonly error: JobError | null;
  readonly info: JobInfo;
}

/** What is known of an end beside the container itself. */
export interface Circumstances {
  /** It ran longer than its executionDuration. */
  readonly overLimit: boolean;
  /** That was so before anybody could stop it. */
  readonly missed: boolean;
  /** It was stopped because it had more than this on the engine's disk (bytes). */
  readonly overDisk?: number;
  /** The engine was away while the container ran. */
  readonly outage: boolean;
  /** It was away before the container's end was known. */
  readonly unwatched: boolean;
}

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** What an engine that goes down ends its containers with, and what it says of one whose end it has not seen. */
const BY_THE_ENGINE: ReadonlySet<number> = new Set([128 + constants.signals.SIGTERM, 128 + constants.signals.SIGKILL, 255]);

/** Milliseconds over the limit that need no explanation: the grace between SIGTERM and SIGKILL, and some more. */
const UNREMARKABLE = 30_000;

/**
 * Exit 0 = COMPLETED; over its executionDuration = ABORTED (UWS 1.1 §2.1.2); anything else ERROR, with the exit code, the
 * signal (128 + n, as init and shells report it) or out-of-memory in the summary.
 */
export function outcomeOf(run: EngineRun, job: Pick<Job, 'executionDuration' | 'task'>, { missed, overLimit, overDisk, outage }: Circumstances): Outcome {
  const exit: Exit = run.exit ?? { code: 255, outOfMemory: false, error: 'the engine does not say how the container ended' };
  const signal = exit.code > 128 ? SIGNALS.get(exit.code - 128) : undefined;
  const info: JobInfo = { ...(exit.code < 0 ? {} : { exitCode: exit.code }), ...(signal === undefined ? {} : { signal }), ...(exit.outOfMemory ? { outOfMemory: true } : {}) };
  if (overDisk !== undefined) return { phase: 'ERROR', info, error: fatal(`stopped: the job had more on disk, below /output, than the ${formatSize(overDisk)} that it may have`) };
  if (overLimit) return { phase: 'ABORTED', info, error: fatal(overLimitMessage(run, job.executionDuration, missed)) };
  if (exit.code === 0 && exit.error === undefined) return { phase: 'COMPLETED', info, error: null };
  // no program's exit, but a project that could not come up
  if (exit.code < 0) return { phase: 'ERROR', info, error: { type: exit.temporary ? 'transient' : 'fatal', message: exit.error ?? 'it is not known how it ended' } };
  if (exit.outOfMemory && job.task?.type === 'project') return { phase: 'ERROR', info, error: fatal(`out of memory: ${exit.error ?? 'the service'} used more than its limit (exit code ${String(exit.code)})`) };
  const memory = job.task === null ? '' : ` of ${formatSize(job.task.resources.memory)}`;
  if (exit.outOfMemory) return { phase: 'ERROR', info, error: fatal(`out of memory: the job used more than its MEMORY${memory} (exit code ${String(exit.code)})`) };
  const how = signal === undefined ? `exit code ${String(exit.code)}` : `ended by signal ${signal} (exit code ${String(exit.code)})`;
  if (outage && BY_THE_ENGINE.has(exit.code)) return { phase: 'ERROR', info, error: { type: 'transient', message: `${how}, while the container engine went down or was restarted` } };
  return { phase: 'ERROR', info, error: fatal(`${how}${exit.error === undefined ? '' : `: ${exit.error}`}`) };
}

/** When the job was over: at its limit, where nobody could stop its container then or nothing of it ran, else with that. By the engine's clock. */
export function endOf({ exit, finishedAt, startedAt }: EngineRun, { executionDuration }: Pick<Job, 'executionDuration'>, { missed, overLimit }: Circumstances): Instant | undefined {
  if (!overLimit || startedAt === undefined || (!missed && exit?.stopped !== true)) return finishedAt;
  const limit = startedAt + executionDuration * 1000;
  return missed ? limit : Math.max(limit, finishedAt ?? 0);
}

function overLimitMessage({ startedAt, finishedAt }: EngineRun, limit: number, missed: boolean): string {
  const said = `stopped: the job ran longer than its executionDuration of ${String(limit)} s`;
  const ran = (finishedAt ?? 0) - (startedAt ?? 0);
  return missed || ran - limit * 1000 > UNREMARKABLE ? `${said}; it ran ${String(Math.round(ran / 1000))} s, because nobody could stop it at its limit` : said;
}

function fatal(message: string): JobError {
  return { type: 'fatal', message };
}
