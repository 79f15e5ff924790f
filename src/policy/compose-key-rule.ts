/**
 * What becomes of a key of a compose file. `allow`: no effect on the host. `constrain`: accepted after its value was looked at
 * (compose-*-rules.ts). `ignore`: accepted, never acted on, told. `deny`: the file is refused.
 */
export type KeyVerdict = 'allow' | 'constrain' | 'ignore' | 'deny';

export interface KeyRule {
  readonly verdict: KeyVerdict;
  /** Why, for a person. */
  readonly why: string;
  /** Of refused keys: what to write instead. */
  readonly instead?: string;
  /**
   * Of refused keys, what a corrected file has in its place: nothing (`remove`), the image that would have been built (`image`),
   * the content as a variable (`content`), the value as a parameter that nobody is shown (`secret`). Absent = no machine can tell.
   */
  readonly correction?: 'remove' | 'image' | 'content' | 'secret';
  /** Of refused keys: `false` says nothing, by whatever word. */
  readonly unlessFalse?: true;
}

/** No effect on the host. */
export function allow(why: string): KeyRule {
  return { verdict: 'allow', why };
}

/** Its value is looked at. */
export function constrain(why: string): KeyRule {
  return { verdict: 'constrain', why };
}

/** Never acted on. */
export function ignore(why: string): KeyRule {
  return { verdict: 'ignore', why };
}

/** Refused; the corrected file is without it. */
export function deny(why: string, instead = 'leave it out', more: Pick<KeyRule, 'correction' | 'unlessFalse'> = {}): KeyRule {
  return { verdict: 'deny', why, instead, correction: 'remove', ...more };
}

/** Refused where it is true; `false` says nothing. */
export function denyTrue(why: string, instead = 'leave it out'): KeyRule {
  return deny(why, instead, { unlessFalse: true });
}

/** Refused, and only a person knows what to write instead. */
export function denyForGood(why: string, instead: string): KeyRule {
  return { verdict: 'deny', why, instead };
}
