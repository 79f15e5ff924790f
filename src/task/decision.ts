import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';

/** One judgement, as it is recorded: by whose word, on whose base. */
export interface Decision {
  /** Identifies this decision in answers and audit. */
  readonly id: string;
  readonly at: Instant;
  /** Hash of the policy that decided. */
  readonly policy: Digest;
  /** Name of the rule that decided. */
  readonly rule: string;
  /** What the rule gives the container that others do not have; absent = nothing. */
  readonly relaxed?: readonly string[];
  /** The approved base the image is built on, where the rule asked for one. */
  readonly base?: {
    readonly name: string;
    /** Of the base's manifest for this platform. */
    readonly digest: Digest;
    /** When the base's tag was first and last seen to name it. */
    readonly firstSeen?: Instant;
    readonly lastSeen?: Instant;
  };
}
