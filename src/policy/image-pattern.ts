import { compileReferencePattern } from '../image/reference-pattern.ts';
import type { Reference } from '../image/reference.ts';

/** A pattern of a rule, as `images` in the policy file spells it. */
export interface ImagePattern {
  readonly text: string;
  /** Whether it takes images of every registry there is. */
  readonly anyRegistry: boolean;
  matches(reference: Reference): boolean;
}

const EVERYTHING = '**';

/** Stands for "any registry" while the tag of `**:tag` is compared; `.invalid` can be nobody's (RFC 2606). */
const ANY_DOMAIN = 'any.invalid';

/**
 * Compiles `host/path[:tag]` as image/reference-pattern.ts does, and two more that only a policy may say: `**` is every
 * image of every registry, `**:tag` every image with a tag that matches. Throws BadReference.
 */
export function compileImagePattern(text: string): ImagePattern {
  if (text === EVERYTHING) return { text, anyRegistry: true, matches: () => true };
  if (!text.startsWith(`${EVERYTHING}:`)) return { ...compileReferencePattern(text), anyRegistry: false };
  const tag = compileReferencePattern(`${ANY_DOMAIN}/${text}`);
  return { text, anyRegistry: true, matches: (reference) => tag.matches({ ...reference, domain: ANY_DOMAIN }) };
}
