import type { Caller } from '../caller.ts';
import type { Decision } from '../task/decision.ts';
import type { Digest } from '../image/digest.ts';
import type { Details, Warning } from './question.ts';
import type { Ranges } from './resources.ts';

/** A member of serviceinfo. */
export type Info = string | number | boolean | readonly Info[] | { readonly [member: string]: Info };

/** One way in which the task can be run (note §4.4). */
export interface ServiceInterface {
  readonly servicetype: string;
  /** Absolute URL. */
  readonly endpoint: string;
  /** What else a client must know to use it. */
  readonly info: Readonly<Record<string, Info>>;
  /** What the task would really get. */
  readonly resources?: Ranges;
}

/** One reason for a NO. */
export interface NoReason {
  /** The status that a request to run the task would meet. */
  readonly httpcode: number;
  /** Stable, for programs. */
  readonly code: string;
  /** Where in the question it lies; '' = nowhere in particular. */
  readonly path: string;
  /** What is wrong and what would make it right. */
  readonly text: string;
  /** Of the document that the path lies in, from 1. */
  readonly line?: number;
  readonly rule?: string;
}

/** The judge's record of an answer. */
export interface DecisionShown {
  readonly decision: Decision;
  /** The manifest that was judged, where one was read. */
  readonly digest?: Digest;
}

/** A value that a task leaves open. */
export interface MaybeParameter {
  readonly [member: string]: Info;
  readonly name: string;
  readonly required: boolean;
}

/** What would turn a NO into a YES: time, values, or changes of the task that the client can make (execution-planner.md 1.6). */
export type Maybe =
  | {
      readonly kind: 'time';
      readonly how: string;
      /** Seconds until it could start, as estimated. */
      readonly seconds: number;
    }
  | { readonly kind: 'parameters'; readonly how: string; readonly parameters: readonly MaybeParameter[] }
  | {
      readonly kind: 'change';
      readonly how: string;
      readonly parameters: readonly MaybeParameter[];
      readonly changes: readonly { readonly [member: string]: string }[];
      /** What would be accepted: submitted as it is, its parameters filled in, it gets a yes. */
      readonly template: { readonly mediatype: string; readonly content: string };
    };

interface Answered {
  readonly warnings: readonly Warning[];
  readonly decision?: DecisionShown;
  /** Whether durations are written as `5m`. */
  readonly shortDurations?: boolean;
}

export interface Yes extends Answered {
  readonly word: 'YES';
  /** At least one. */
  readonly interfaces: readonly ServiceInterface[];
}

export interface No extends Answered {
  readonly word: 'NO';
  readonly reasons: readonly NoReason[];
  /** What there would be instead. */
  readonly resources?: Ranges;
  readonly maybe?: Maybe;
  /** Seconds after which the same question may get another answer, because it is the site that is in the way. */
  readonly retryAfter?: number;
}

export type Answer = Yes | No;

/** A place that runs tasks, ours or another's. */
export interface Platform {
  readonly name: string;
  readonly description?: string;
  /** The task types it takes, as far as it is known which. */
  readonly tasktypes: readonly string[];
  /** Whether it is another planner, perhaps of more types than those; one that does not answer then hides no other answer. */
  readonly isPeer?: boolean;
  /** A peer of which it is not known what it takes. */
  readonly takesAll?: boolean;
  readonly servicetypes: readonly string[];
  readonly endpoint: string;
  /**
   * Whether this task would be taken from this caller. Throws BadParameter or BadRequest for a malformed question, and errors
   * of status 503 when it cannot be told at present: an answer is always a judgement.
   */
  decide(tasktype: string, details: Details, caller: Caller, signal: AbortSignal): Promise<Answer>;
}
