import type { Clock } from '../clock.ts';
import type { EngineRun } from '../engine/engine.ts';
import type { Job } from '../job/job.ts';
import type { Fetching } from './job-ending.ts';
import type { Guard } from './job-guard.ts';

/** How often a job had to wait before its next try. */
export interface Tries {
  readonly all: number;
  /** Those for which not the site's own engine or store is to blame: they are counted. */
  readonly counted: number;
}

/** How one job stands for its runner. */
export interface Work {
  readonly guard: Guard;
  readonly shutdown: AbortSignal;
  /** How often it had to wait in the queue after a try to start it. */
  readonly tries: Tries;
  job: Job;
  /** Milliseconds that the container has run, by a clock that never steps; undefined while nobody has looked. */
  ran: (() => number) | undefined;
  /** It was told to stop because its time is over. */
  stopped: boolean;
  /** Its time was over before anybody looked: no gateway was there to stop it. */
  missed: boolean;
  /** It was told to stop because it had too much on the disk. */
  overDisk: boolean;
  /** The engine has been away meanwhile. */
  outage: boolean;
  /** It was away before it had told how the container ended. */
  unwatched: boolean;
  /** How the container ended, once that is known. */
  end: { readonly run: EngineRun; readonly overLimit: boolean } | undefined;
  /** What it uses is measured until this resolves: when the guard lets go. */
  measuring: Promise<void> | undefined;
  /** Tries that failed and for which not just an outage is to blame. */
  failures: number;
  /** Tries that failed in a row, whatever for. */
  pauses: number;
}

/** Tries to end a job properly before what cannot be had is left out. */
export const END_TRIES = 4;

/** How the results are fetched in this try. */
export function fetching({ failures }: Work, signal: AbortSignal): Fetching {
  return { signal, onRefusal: failures < END_TRIES / 2 ? 'throw' : 'leave-out' };
}

/** Milliseconds from now on, and `before` that have passed already; by the clock that never steps. */
export function stopwatch(clock: Clock, before: number): () => number {
  const from = clock.monotonic() - before;
  return () => clock.monotonic() - from;
}

/** Milliseconds that the job may run; Infinity = unlimited. */
export function limitOf({ executionDuration }: Job): number {
  return executionDuration === 0 ? Infinity : executionDuration * 1000;
}

/**
 * The run from the job's own start: of a container that was started once more, the engine knows the latest start only. Both instants
 * are the engine's, for the job's was taken from it.
 */
export function fromStart(run: EngineRun, { startTime }: Pick<Job, 'startTime'>): EngineRun {
  return run.startedAt === undefined || startTime === null ? run : { ...run, startedAt: Math.min(run.startedAt, startTime) };
}

/** Milliseconds that a container ran that is over, as the engine tells it. */
export function ranFor({ startedAt, finishedAt }: EngineRun): number {
  return startedAt === undefined || finishedAt === undefined ? 0 : finishedAt - startedAt;
}
