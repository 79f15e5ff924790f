import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Decision, EarlierDecision } from '../task/decision.ts';
import type { PinnedWork } from '../task/project.ts';
import type { Usage } from '../task/usage.ts';
import type { Phase } from './phase.ts';

/** The name of a job list, one for each kind of task: the path below `/uws/`. */
export type JobListName = 'docker' | 'compose';

/** One parameter as the client gave it: canonical name, exact value. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
  /** Whether it came as an upload: documents then only say where it can be read. */
  readonly byReference?: true;
  /** A secret's value, encrypted; `value` is empty then. Gone as soon as the job has it, or is over. */
  readonly sealed?: string;
}

/** One thing that a job produced. `size`, `mediaType` and `digest` are of the bytes that are served. */
export interface Result {
  /** Unique within the job: `stdout`, `stderr`, or a file's path below /output. */
  readonly id: string;
  readonly mediaType: string;
  /** Bytes; absent while the job still writes it. */
  readonly size?: number;
  /** SHA-256 of the bytes; absent while the job still writes it. */
  readonly digest?: Digest;
}

/** Why a job did not do what it was asked (UWS errorSummary). */
export interface JobError {
  /** `transient`: trying the same again may help (an outage); `fatal`: it will not. */
  readonly type: 'transient' | 'fatal';
  /** One line for a person. */
  readonly message: string;
  /** More text, served at `{job}/error`. */
  readonly detail?: string;
}

/** Facts about a job that UWS has no element for; shown in jobInfo. */
export interface JobInfo {
  /** What the job waits for or does at present, in words. */
  readonly message?: string;
  /** How far the pull of the image is (bytes); the total is of what is known so far. */
  readonly pull?: { readonly current: number; readonly total: number };
  readonly exitCode?: number;
  /** Name of the signal that ended the main process. */
  readonly signal?: string;
  readonly outOfMemory?: boolean;
  /** The digest that the tag names now, where it is no longer the one that was judged and runs. */
  readonly tagMovedTo?: Digest;
  /** What it has used, as far as it was measured; absent also where it was over before anybody could. */
  readonly usage?: Usage;
  /** Bytes of the results that were kept of it; once they are, for results go and the record may stay. */
  readonly resultBytes?: number;
  /** Output that was not kept, and why; one line each. */
  readonly warnings?: readonly string[];
}

/** One job as UWS 1.1 §2.1 describes it. Immutable; a change is a new value with a higher revision. */
export interface Job {
  readonly id: string;
  readonly list: JobListName;
  /** Goes up with every change; a rendered document is good for one revision. */
  readonly revision: number;
  readonly owner: string | null;
  /** The owner's groups when the job was last judged at the owner's word (creation, change of parameters, RUN): what policy and quotas are asked with when the job's turn comes. */
  readonly groups: readonly string[];
  /** Groups whose members may read the job and its results; absent = nobody else. */
  readonly sharedWith?: readonly string[];
  readonly runId: string | null;
  readonly phase: Phase;
  readonly quote: Instant | null;
  readonly creationTime: Instant;
  readonly startTime: Instant | null;
  readonly endTime: Instant | null;
  /** Seconds of wall clock; 0 = unlimited. */
  readonly executionDuration: number;
  readonly destruction: Instant | null;
  readonly parameters: readonly Parameter[];
  /** What will run, once judged; null while a needed parameter is missing. */
  readonly task: PinnedWork | null;
  readonly decision: Decision | null;
  /** The answer to an earlier question that its client refers to; absent = none. */
  readonly follows?: EarlierDecision;
  readonly results: readonly Result[];
  readonly error: JobError | null;
  readonly info: JobInfo;
}

/** What the job list shows of a job. */
export type JobSummary = Pick<Job, 'id' | 'phase' | 'runId' | 'owner' | 'creationTime'>;

/** A move that happens only if the job is still in one of `from`: the only way that a phase changes. */
export interface PhaseChange {
  readonly from: readonly Phase[];
  readonly to: Phase;
  /** Fields that change with the phase, in the same write. */
  readonly set?: Partial<Pick<Job, 'groups' | 'startTime' | 'endTime' | 'quote' | 'destruction' | 'results' | 'error' | 'info' | 'task' | 'decision'>>;
}

/** A change that leaves the phase as it is. */
export type JobUpdate = Partial<
  Pick<Job, 'groups' | 'runId' | 'quote' | 'executionDuration' | 'destruction' | 'parameters' | 'task' | 'decision' | 'results' | 'info' | 'sharedWith'>
>;

/** Which jobs a list shows. */
export interface JobFilter {
  readonly list: JobListName;
  /** Only jobs of this owner (null = anonymous); absent = of everybody. */
  readonly owner?: string | null;
  /** Union; absent = all but ARCHIVED. */
  readonly phases?: readonly Phase[];
  /** creationTime strictly later. */
  readonly after?: Instant;
  /** At most this many, the newest. */
  readonly last?: number;
}
