import { createHash } from 'node:crypto';
import type { JobDocument } from './job-document.ts';

/** What a client was told of a request: done, nothing (no answer, or an outage: it may have been done), or it was never made. */
export type Told = 'done' | 'unknown' | 'never';

/** What a job's program is to do. */
export interface Plan {
  /** In the program's environment and the job's RUNID: what it is known by everywhere. */
  readonly mark: string;
  readonly image: string;
  /** Seconds. */
  readonly pause: number;
  /** Lines of its output file; 0 = none. */
  readonly rows: number;
  readonly code: number;
  /** executionDuration in seconds; shorter than the pause = the job is to be ABORTED. */
  readonly limit: number;
  /** The instant of its destruction, where that is soon. */
  readonly destruction: string | undefined;
}

/** One job as its client knows it. */
export interface KnownJob {
  readonly plan: Plan;
  /** When it was asked for, by the harness's clock, which nobody steps (milliseconds). */
  readonly asked: number;
  /** Path below the gateway's URL, once the client was told. */
  path: string | undefined;
  created: Told;
  run: Told;
  aborted: Told;
  deleted: Told;
  /** The first last phase that a client has seen; it must not change any more. */
  ended: string | undefined;
  /** When that was (milliseconds). */
  endedSeen: number | undefined;
}

/** A known job that is to be ended by its limit. */
export function isToBeAborted({ limit, pause }: Plan): boolean {
  return limit < pause;
}

/** What the program writes when nothing stops it. */
export function expectedOutput({ mark, rows }: Plan): { readonly stdout: string; readonly data: string | undefined } {
  return { stdout: `begin ${mark}\nend ${mark}\n`, data: rows === 0 ? undefined : sha256(`${mark}\n`.repeat(rows)) };
}

export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What happened while the job ran, as far as it excuses an end. */
export interface Weather {
  /** The engine was stopped or killed. */
  readonly engine: boolean;
  /** The registry was not fair. */
  readonly registry: boolean;
}

/** What is wrong with how a job ended; nothing = all is well. `runs`: how often its program was really started. */
export function judge(known: KnownJob, job: JobDocument | undefined, runs: number, weather: Weather): string[] {
  const problems: string[] = [];
  const wrong = (text: string): void => void problems.push(`${known.plan.mark} ${job?.jobId ?? known.path ?? ''}: ${text}`);
  if (runs > 1) wrong(`its program was started ${String(runs)} times`);
  const mayBeGone = known.deleted !== 'never' || known.plan.destruction !== undefined;
  if (job === undefined) {
    if (known.created === 'done' && !mayBeGone) wrong('it was accepted and is lost');
    return problems;
  }
  if (known.deleted === 'done') wrong('it was deleted and is there');
  if (known.plan.destruction !== undefined) wrong(`it is there after its destruction (${job.phase})`);
  if (known.ended !== undefined && known.ended !== job.phase) wrong(`it was seen in ${known.ended} and is ${job.phase} now`);
  const phase = phaseProblem(known, job, runs, weather);
  if (phase !== undefined) wrong(`${phase} (${job.phase}, ${String(runs)} runs, ${JSON.stringify(job.errorSummary)}, ${JSON.stringify(job.jobInfo)})`);
  return problems;
}

function phaseProblem(known: KnownJob, job: JobDocument, runs: number, weather: Weather): string | undefined {
  const { plan } = known;
  switch (job.phase) {
    case 'PENDING':
      return known.run === 'done' ? 'it was told to run and never did' : undefined;
    case 'COMPLETED':
      if (runs !== 1) return 'it is COMPLETED and did not run once';
      if (plan.code !== 0) return 'it is COMPLETED and its program failed';
      return isToBeAborted(plan) ? 'it is COMPLETED beyond its limit' : undefined;
    case 'ABORTED':
      return known.aborted !== 'never' || isToBeAborted(plan) ? undefined : 'nobody has aborted it';
    case 'ERROR':
      return errorProblem(known, job, runs, weather);
    default:
      return 'it is not over';
  }
}

/** Programs that were ended from outside, as init and the engine tell it. */
const BY_SIGNAL = new Set([137, 143, 255]);

function errorProblem({ plan }: KnownJob, job: JobDocument, runs: number, weather: Weather): string | undefined {
  const message = job.errorSummary?.message ?? '';
  const exitCode = job.jobInfo?.['exitCode'];
  if (exitCode !== undefined && exitCode === plan.code && plan.code !== 0) return runs === 1 ? undefined : 'it has an exit code and did not run once';
  if (exitCode !== undefined && BY_SIGNAL.has(Number(exitCode))) return weather.engine ? undefined : 'nobody has ended its program';
  if (job.errorSummary?.type !== 'transient') return 'an error that says that trying again will not help';
  if (/lost|engine/.test(message) && weather.engine) return undefined;
  return /registry|pull|manifest|image/i.test(message) && weather.registry && runs === 0 ? undefined : 'an error that no fault explains';
}
