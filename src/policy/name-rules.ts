import { type Caller, isMember } from '../caller.ts';
import type { Reference } from '../image/reference.ts';
import type { Rule } from './rule.ts';

/** How one rule met a question: its images do not match, its groups do not, or it decides. */
export interface NameOutcome {
  readonly rule: string;
  readonly outcome: 'other images' | 'other callers' | 'decides';
}

export interface NameMatch {
  /** Absent where nothing matches: then the answer is no. */
  readonly rule?: Rule;
  /**
   * The rule takes only certain tags, and the reference has such a tag beside a digest, which wins: that the tag names (or
   * named) this digest is a claim that has to be proved.
   */
  readonly tagClaimed: boolean;
  /** Every rule that was looked at, in order. */
  readonly outcomes: readonly NameOutcome[];
}

/** The first rule whose images and groups match. By the name alone: no packet leaves. */
export function matchName(rules: readonly Rule[], reference: Reference, caller: Caller): NameMatch {
  const outcomes: NameOutcome[] = [];
  for (const rule of rules) {
    const match = matchImages(rule, reference);
    if (match === undefined) outcomes.push({ rule: rule.name, outcome: 'other images' });
    else if (!isFor(rule, caller)) outcomes.push({ rule: rule.name, outcome: 'other callers' });
    else return { rule, tagClaimed: match === 'by a claimed tag', outcomes: [...outcomes, { rule: rule.name, outcome: 'decides' }] };
  }
  return { tagClaimed: false, outcomes };
}

/** Whether the rule could decide for this caller at all. */
export function isFor(rule: Rule, caller: Caller): boolean {
  return rule.groups === undefined || [...rule.groups].some((group) => isMember(caller.groups, group));
}

function matchImages(rule: Rule, reference: Reference): 'plainly' | 'by a claimed tag' | undefined {
  if (rule.images.some((pattern) => pattern.matches(reference))) return 'plainly';
  if (reference.tag === undefined || reference.digest === undefined) return undefined;
  const byTag: Reference = { domain: reference.domain, path: reference.path, tag: reference.tag };
  return rule.images.some((pattern) => pattern.matches(byTag)) ? 'by a claimed tag' : undefined;
}
