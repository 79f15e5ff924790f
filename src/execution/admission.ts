import type { Caller } from '../caller.ts';
import type { Job } from '../job/job.ts';
import type { PinnedWork } from '../task/project.ts';

/** What a caller wants with one job. */
export interface Wish {
  /** A job that is not there yet. */
  readonly create: boolean;
  /** The job is to be queued. */
  readonly run: boolean;
  /** What would run, as far as it is known. */
  readonly task: PinnedWork | null;
}

/** Too much of something: what a quota says to one more job. */
export interface Excess {
  /** Stable, for programs: `quota.queued`. */
  readonly code: string;
  /** For people: how much of what, what the most is, and when there is room again or what makes some. */
  readonly text: string;
  /** Seconds after which there is room again; absent = not by waiting. */
  readonly retryAfter?: number;
}

/** Says whether a caller may have one more job, made or queued: who may at all, and how much. */
export interface Admission {
  /**
   * Asked before anything is judged, so that who may have no jobs costs nothing. Throws Unauthenticated, Forbidden.
   */
  may(caller: Caller): void;
  /**
   * Asked when everything else is right. What it lets through it counts until the function that it returns is called, which is to be
   * done when the store has the job, or will not get it. Throws Forbidden and TooManyRequests, saying what there is too much of.
   */
  admit(caller: Caller, wish: Wish): Promise<() => void>;
  /** Whether a job that was let through has to go on waiting for its start, beside what Slots know: its owner has used too much meanwhile. */
  holdsBack(job: Pick<Job, 'owner' | 'groups'>): Promise<boolean>;
}

/** Everybody, as much as they like. */
export const ADMIT_ALL: Admission = { may: () => undefined, admit: async () => () => undefined, holdsBack: async () => false };
