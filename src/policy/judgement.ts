import type { Image } from '../image/image.ts';
import type { NameOutcome } from './name-rules.ts';
import type { Finding, Verdict } from './verdict.ts';

/** What one check of the deciding rule found. */
export interface Check {
  readonly check: 'request' | 'registry' | 'tag' | 'revocation' | 'base' | 'configuration' | 'command' | 'signature';
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** What was found to be good, for a person. */
  readonly note?: string;
}

/** A verdict with everything that led to it, for the audit log and for `pratique check`. */
export interface Judgement {
  readonly verdict: Verdict;
  /** Every rule that was looked at by name, in order. */
  readonly names: readonly NameOutcome[];
  /** Every check that was made, in order. */
  readonly checks: readonly Check[];
  /** What the registry gave; absent where it was not asked or said no. */
  readonly image?: Image;
}

/** A check that found `refusals`, or nothing wrong. */
export function checked(check: Check['check'], refusals: readonly Finding[], note?: string): Check {
  return { check, refusals, warnings: [], ...(note === undefined ? {} : { note }) };
}
