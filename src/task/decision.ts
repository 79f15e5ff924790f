import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import { manifestsOf, type PinnedWork } from './project.ts';

/** One judgement, as it is recorded: by whose word, on whose base. */
export interface Decision {
  /** Identifies this decision in answers and audit. */
  readonly id: string;
  readonly at: Instant;
  /** Hash of the policy that decided. */
  readonly policy: Digest;
  /** Name of the rule that decided. */
  readonly rule: string;
  /** Who asked, and whoever sees their job, is told the id and no more: the site does not want strangers to know its rules. */
  readonly untold?: true;
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

/** A yes that a client was given before it made a job, as it names it; and what that yes was, while it is remembered. */
export interface EarlierDecision {
  readonly id: string;
  /** Absent = not known here, or no longer, or not this client's. */
  readonly known?: Pick<Decision, 'policy' | 'rule'> & {
    /** As manifestsOf has it. */
    readonly manifest: string;
  };
}

/** In which the world has changed between a yes and a later judgement of what runs; empty = in nothing. */
export function changesSince({ known }: EarlierDecision, now: Decision, work: PinnedWork | null): readonly string[] {
  if (known === undefined) return ['that decision is not remembered here: nothing can be compared'];
  const images = new Set(work === null ? [] : manifestsOf(work).split('\n'));
  const before = known.manifest.split('\n');
  const other = before.filter((image) => !images.has(image));
  return [
    ...other.map((image) => `another image: it was ${image}`),
    ...(other.length === 0 && images.size > before.length ? ['images that were not there'] : []),
    ...(known.rule === now.rule ? [] : [`another rule: it was ${known.rule}`]),
    ...(known.policy === now.policy ? [] : [`another policy: it was ${known.policy}`]),
  ];
}
