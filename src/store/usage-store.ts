import type { Instant } from '../clock.ts';
import type { JobListName } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';
import type { Meters, Usage } from '../task/usage.ts';

/** What is known of one job that was started, whatever became of it since. */
export interface UsageRecord {
  readonly jobId: string;
  readonly list: JobListName;
  readonly owner: string | null;
  /** Of the owner, when the job was created. */
  readonly groups: readonly string[];
  /** Each once, with its digest: `registry.example.org/tools/one@sha256:…`. */
  readonly images: readonly string[];
  /** The last one before the job was archived or deleted. */
  readonly phase: Phase;
  /** Promised to it. */
  readonly cores: number;
  readonly memory: number;
  readonly startTime: Instant;
  readonly endTime: Instant | null;
  /** Bytes of results that were kept of it, be they gone or not. */
  readonly resultBytes: number;
  /** Absent = it was over before anybody could measure. */
  readonly used?: Usage;
}

/** A job's CPU time, as quotas count it. */
export interface CpuSpan {
  readonly from: Instant;
  /** Its end, or now. */
  readonly to: Instant;
  /** What was measured, and all of its cores for as long as nobody has. */
  readonly cpuSeconds: number;
  readonly groups: readonly string[];
}

/** Images that jobs ran with, and when one of them started last. */
export interface ImagesRun {
  /** Manifest digests. */
  readonly images: readonly string[];
  readonly groups: readonly string[];
  readonly at: Instant;
}

/**
 * What jobs have used. A record begins when its job is EXECUTING and ends with it, in the same write as the job's own phase; it
 * outlives the job. Throws Unavailable when the store cannot be used.
 */
export interface UsageStore {
  /** The meters of a job as they were kept last; none where it was not measured yet. */
  meters(jobId: string): Promise<Meters>;
  /** Keeps the meters of a job that was started. Survives the death of the process. */
  keep(jobId: string, meters: Meters, at: Instant): Promise<void>;
  /** What the job has used so far; undefined where it was never measured. */
  used(jobId: string): Promise<Usage | undefined>;
  /** Jobs of this owner (null = anonymous; undefined = of everybody) that ran at some time after `since`. */
  cpu(owner: string | null | undefined, since: Instant, now: Instant): Promise<readonly CpuSpan[]>;
  /** With which images jobs of this owner (undefined = of everybody) were started after `since`. */
  images(owner: string | null | undefined, since: Instant): Promise<readonly ImagesRun[]>;
  /** Bytes of the results that are kept at present, by the groups of their owners. */
  kept(): Promise<readonly { readonly groups: readonly string[]; readonly bytes: number }[]>;
  /** Forgets jobs that ended before, and of which nothing is kept. */
  forget(before: Instant): Promise<void>;
}
