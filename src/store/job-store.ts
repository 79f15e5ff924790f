import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Job, JobFilter, JobListName, JobSummary, JobUpdate, PhaseChange } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';

/** A client's word that a repeat of one creation means the same job (the header Idempotency-Key). */
export interface CreationKey {
  /** What the client chose; its own within one job list and owner. */
  readonly key: string;
  /** Of everything that was asked for: the same key with another fingerprint is a contradiction. */
  readonly fingerprint: Digest;
}

/** The job that an earlier request with the same key has made. */
export interface EarlierCreation {
  readonly jobId: string;
  readonly fingerprint: Digest;
}

/** How a store stands to a job. */
export interface Standing {
  readonly phase: Phase | 'DELETED';
  readonly revision: number;
  /** Who has claimed it and lives. */
  readonly holder: string | null;
}

/**
 * Where jobs live. Every change is one atomic step that happens only if its condition still holds; `undefined` means that
 * another writer was first: re-read, never force. What a promise has resolved survives the death of the process, and of
 * the machine where it says "durable". Throws Unavailable when the store cannot be used.
 */
export interface JobStore {
  /**
   * Durable when it resolves. The job's id must be new. With `key`: where a job of the same list and owner that is not deleted
   * was created with that key, nothing is kept and that one is the answer; of several at once, one is kept.
   */
  create(job: Job, key?: CreationKey): Promise<EarlierCreation | undefined>;
  /** The job of this list and owner, not deleted, that was created with this key. Durable when it resolves. */
  createdWith(list: JobListName, owner: string | null, key: string): Promise<EarlierCreation | undefined>;
  /** The job, unless it does not exist or was deleted. */
  get(id: string): Promise<Job | undefined>;
  /** Only the number that goes up with every change, and the owner: what a cached document needs to be trusted. */
  revision(id: string): Promise<{ readonly revision: number; readonly owner: string | null } | undefined>;
  /** Newest first (creationTime, then id), a page at a time, so that the memory needed does not grow with the list. */
  list(filter: JobFilter): AsyncIterable<JobSummary>;
  /**
   * Moves a job along the transition table. With `holder`: only while the job is still that holder's (fencing). Durable
   * when it resolves.
   */
  changePhase(id: string, change: PhaseChange, holder?: string): Promise<Job | undefined>;
  /** Changes fields of a job that is in one of `phases`. Durable when it resolves. */
  update(id: string, phases: readonly Phase[], update: JobUpdate, holder?: string): Promise<Job | undefined>;
  /**
   * Says that the holder lives for `lease` more milliseconds: its lease on every job it has claimed. One write, however many
   * jobs. A lease of somebody else that ends later than it can (the clock was put back) is cut to its own length from now.
   */
  heartbeat(holder: string, now: Instant, lease: number): Promise<void>;
  /** Gives all leases of the holder back: it is about to end. */
  retire(holder: string): Promise<void>;
  /**
   * Gives `holder` the lease on a job that is QUEUED or EXECUTING and on which no other living holder has one (a holder lives
   * while its heartbeat is later than `now`). Undefined where it is not so; of several that try at once, one gets it.
   */
  claim(id: string, holder: string, now: Instant): Promise<Job | undefined>;
  /** Whether the job, deleted or not, is still this holder's: nobody has taken it over. */
  holds(id: string, holder: string): Promise<boolean>;
  /**
   * Records that the engine is about to be asked to start the job's container; the last thing before it is. `again` when that was
   * recorded before. Durable when it resolves. Undefined when the job is not QUEUED any more, or not the holder's: then it must not be asked.
   */
  askStart(id: string, holder: string): Promise<'first' | 'again' | undefined>;
  /** Whether a start of the job's container was ever recorded by `askStart`. */
  startAsked(id: string): Promise<boolean>;
  /** Gives a lease back, so that the next claim need not wait for its end. */
  release(id: string, holder: string): Promise<void>;
  /** Jobs in EXECUTING that no other living holder has; at most `limit`. */
  unclaimed(holder: string, now: Instant, limit: number): Promise<readonly Job[]>;
  /** ABORTED jobs of which nobody has yet kept what they wrote, or found that it is gone; at most `limit`. Looks at every ABORTED job. */
  unkept(limit: number): Promise<readonly Job[]>;
  /** Of each owner, the job that has been QUEUED longest, that no other living holder has, and that is none of `except`; who waits longest first. */
  firstInLine(holder: string, now: Instant, except: readonly string[]): Promise<readonly Job[]>;
  /** Jobs, ARCHIVED ones too, whose destruction instant is not later than `now`, oldest first, at most `limit`. */
  due(now: Instant, limit: number): Promise<readonly Job[]>;
  /** The earliest destruction instant of all jobs. */
  nextDestruction(): Promise<Instant | undefined>;
  /** How the store stands to an id, hidden jobs included; for recovery. */
  standing(id: string, now: Instant): Promise<Standing | undefined>;
  /**
   * Hides a job for good: no other method finds it any more, but `deleted` does until `forget`. An active job is ABORTED
   * in the same step. False when there is no such job.
   */
  delete(id: string, at: Instant): Promise<boolean>;
  /** Ids of hidden jobs whose container, volumes and results may still be there. */
  deleted(limit: number): Promise<readonly string[]>;
  /** Removes the record of a hidden job: nothing of it is left anywhere. */
  forget(id: string): Promise<void>;
  /** Whose the jobs are that are QUEUED: of one owner (null = anonymous), or, undefined, of everybody. */
  waiting(owner: string | null | undefined): Promise<readonly Pick<Job, 'owner' | 'groups'>[]>;
  /** What is kept of an owner's (undefined = of everybody's): jobs that are not ARCHIVED, and the bytes of their results. */
  holdings(owner: string | null | undefined): Promise<{ readonly jobs: number; readonly resultBytes: number }>;
  /** How many jobs are QUEUED before this one; undefined where it is not QUEUED. */
  ahead(id: string): Promise<number | undefined>;
  /** How many jobs are in each phase. */
  count(): Promise<Readonly<Partial<Record<Phase, number>>>>;
  close(): Promise<void>;
}
