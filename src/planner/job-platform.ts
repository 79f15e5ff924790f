import type { Caller } from '../caller.ts';
import type { Excess } from '../execution/admission.ts';
import type { Closure } from '../execution/closure.ts';
import type { Reason } from '../policy/verdict.ts';
import type { PinnedWork } from '../task/project.ts';
import type { SiteResources } from './container-resources.ts';
import type { DataRule } from './planner-config.ts';

/** What every platform needs that makes jobs of this gateway. */
export interface JobPlatformParts {
  /** Absolute URL of the list of its jobs. */
  readonly jobListUrl: string;
  /** Asked at each question, since an engine's size is known only once it has answered. */
  readonly site: () => SiteResources;
  /** Data that jobs can read. */
  readonly data: readonly DataRule[];
  /** Why this caller may have no jobs at all; undefined = may. Absent = only the policy decides. */
  readonly refuseCaller?: (caller: Caller) => Reason | undefined;
  /** Why nobody's jobs are taken at present; undefined = they are. Absent = always. */
  readonly closed?: () => Closure | undefined;
  /** What a quota says to one more job of this caller, of this work where it is known; undefined = nothing. Absent = there are none. */
  readonly excess?: (caller: Caller, work: PinnedWork | null) => Promise<Excess | undefined>;
}
