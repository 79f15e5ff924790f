import type { JobDocument } from './job-document.ts';
import { type Expected, expectedOf, FAILED, NO_ROOM, type Plan } from './plan.ts';

/** What a client was told of a request: done, nothing (no answer, or an outage: it may have been done), or it was never made. */
export type Told = 'done' | 'unknown' | 'never';

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

/** What happened while the job was there, as far as it excuses an end. */
export interface Weather {
  /** The engine was stopped, killed or frozen. */
  readonly engine: boolean;
  /** The engine's disk was full. */
  readonly engineDisk: boolean;
  /** A gateway was killed, stopped or frozen. */
  readonly gateway: boolean;
  /** The registry was not fair. */
  readonly registry: boolean;
}

/** What is wrong with how a job ended; nothing = all is well. `runs`: how often each mark's program was really started. */
export function judge(known: KnownJob, job: JobDocument | undefined, runs: ReadonlyMap<string, number>, weather: Weather): string[] {
  const problems: string[] = [];
  const wrong = (text: string): void => void problems.push(`${known.plan.mark} (${known.plan.kind}) ${job?.jobId ?? known.path ?? ''}: ${text}`);
  for (const { mark, restarts } of known.plan.services) {
    const started = runs.get(mark) ?? 0;
    if (started > restarts + 1) wrong(`its program ${mark} was started ${String(started)} times${restarts === 0 ? '' : `, with ${String(restarts)} restarts`}`);
  }
  const mayBeGone = known.deleted !== 'never' || known.plan.destruction !== undefined;
  if (job === undefined) {
    if (known.created === 'done' && !mayBeGone) wrong('it was accepted and is lost');
    return problems;
  }
  if (known.deleted === 'done') wrong('it was deleted and is there');
  if (known.plan.destruction !== undefined) wrong(`it is there after its destruction (${job.phase})`);
  if (known.ended !== undefined && known.ended !== job.phase) wrong(`it was seen in ${known.ended} and is ${job.phase} now`);
  const told = known.plan.services.map(({ mark }) => runs.get(mark) ?? 0);
  const phase = phaseProblem(known, job, told, weather);
  if (phase !== undefined) wrong(`${phase} (${job.phase}, limit ${String(known.plan.limit)} s, runs ${told.join(', ')}, ${JSON.stringify(job.errorSummary)}, ${JSON.stringify(job.jobInfo)})`);
  return problems;
}

function phaseProblem(known: KnownJob, job: JobDocument, runs: readonly number[], weather: Weather): string | undefined {
  const { plan } = known;
  const expected = expectedOf(plan);
  switch (job.phase) {
    case 'PENDING':
      return known.run === 'done' ? 'it was told to run and never did' : undefined;
    case 'COMPLETED':
      if (expected.phase !== 'COMPLETED') return expected.phase === 'ABORTED' ? 'it is COMPLETED beyond its limit' : 'it is COMPLETED and its program failed';
      return haveRun(plan, expected, runs, weather) ? undefined : 'it is COMPLETED and did not run as often as it should';
    case 'ABORTED':
      if (!weather.engine && !weather.engineDisk && runs.some((each, i) => each > (expected.runs[i] ?? 0))) return 'it has run more often than it should';
      return known.aborted !== 'never' || expected.phase === 'ABORTED' ? undefined : 'nobody has aborted it';
    case 'ERROR':
      return errorProblem(plan, expected, job, runs, weather);
    default:
      return 'it is not over';
  }
}

/** Whether each program was started as often as it should be; an engine that ends programs, or has no room for what they write, has them restarted more often, where they are. */
function haveRun({ services }: Plan, expected: Expected, runs: readonly number[], weather: Weather): boolean {
  return services.every(({ restarts }, i) => {
    const [is, should] = [runs[i] ?? 0, expected.runs[i] ?? 0];
    return is === should || ((weather.engine || weather.engineDisk) && is > should && is <= restarts + 1);
  });
}

/** Programs that were ended from outside, as init and the engine tell it. */
const BY_SIGNAL = new Set([137, 143, 255]);

/** Of a service for which another waits in vain. */
const BROKEN = /which ended with exit code (\d+)$/;

function errorProblem(plan: Plan, expected: Expected, job: JobDocument, runs: readonly number[], weather: Weather): string | undefined {
  const message = job.errorSummary?.message ?? '';
  // a program's own, be it that of one that another waits for
  const exitCode = Number(job.jobInfo?.['exitCode'] ?? BROKEN.exec(message)?.[1] ?? NaN);
  if (endedAsExpected(expected, job)) return haveRun(plan, expected, runs, weather) ? undefined : 'it has an end of its own and did not run as often as it should';
  if (exitCode === NO_ROOM) return weather.engineDisk ? undefined : 'there was room on the disk';
  if (BY_SIGNAL.has(exitCode)) return weather.engine ? undefined : 'nobody has ended its program';
  if (exitCode === FAILED && usedUp(plan, runs)) return weather.engine || weather.engineDisk ? undefined : 'nobody has used up its restarts';
  if (job.errorSummary?.type !== 'transient') return 'an error that says that trying again will not help';
  // an engine's own trouble, in its own words
  if (/lost|engine|could not be started/.test(message) && weather.engine) return undefined;
  // whoever was to start it, or to prove that it has its secrets, died over it
  if (/whether (?:it|the program) (?:ran|had its secrets) is not known/.test(message) && (weather.engine || weather.gateway)) return undefined;
  if (/no space left|engine/.test(message) && weather.engineDisk) return undefined;
  return /registry|pull|manifest|image/i.test(message) && weather.registry && runs.every((each) => each === 0) ? undefined : 'an error that no fault explains';
}

/** Whether its programs have ended it, as they were told to. */
export function endedAsExpected(expected: Expected, { errorSummary, jobInfo, phase }: JobDocument): boolean {
  if (phase !== expected.phase || phase === 'ABORTED') return false;
  if (phase === 'COMPLETED') return true;
  return expected.exitCode === undefined ? errorSummary?.message === expected.message : jobInfo?.['exitCode'] === expected.exitCode;
}

/** An engine that ends a program takes one of the restarts with which it would have come to its good end. */
function usedUp({ services }: Plan, runs: readonly number[]): boolean {
  return services.some(({ failures, restarts }, i) => failures > 0 && restarts > 0 && runs[i] === restarts + 1);
}
