import { isMember } from '../caller.ts';
import { wildcardMatches } from '../wildcard.ts';
import type { IssuerConfig } from './identity-config.ts';
import { TokenRefused } from './token-refused.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** OpenID Connect Core §2: a sub has at most 255 characters of ASCII. Blanks and controls would be trouble in headers and logs. */
const SUBJECT = /^[\x21-\x7e]{1,255}$/;

/** More groups than anybody is in; every rule is compared with each. */
const MAX_GROUPS = 1000;

/** What a group may be written with: it is compared with rules and stored with jobs. */
const GROUP = /^[\x20-\x7e]{1,2048}$/;

/** The id of the person the claims are about: the issuer's name keeps people of two issuers with the same subject apart. Throws TokenRefused. */
export function idOf(claims: Claims, { name, subject }: IssuerConfig): string {
  const value = claims[subject];
  if (typeof value !== 'string' || !SUBJECT.test(value)) throw new TokenRefused(`the token does not say who is meant in the claim ${subject}`);
  return `${name}:${value}`;
}

/**
 * The groups that the claims give, of those that this issuer is believed, and those that the site says its members have too. What is no
 * list of strings gives none.
 */
export function groupsOf(claims: Claims, { groups }: IssuerConfig): readonly string[] {
  const found = new Set<string>();
  for (const claim of groups.claims) {
    for (const value of valuesOf(valueAt(claims, claim))) {
      if (GROUP.test(value) && (groups.accept === undefined || groups.accept.some((pattern) => wildcardMatches(pattern, value)))) found.add(value);
    }
  }
  const given = [...found];
  for (const { of, is } of groups.also) if (isMember(given, of)) found.add(is);
  return [...found].slice(0, MAX_GROUPS);
}

/** `wlcg.groups` is one name with a dot in it; `realm_access.roles` is a member of a member. */
function valueAt(claims: Claims, claim: string): unknown {
  if (Object.hasOwn(claims, claim)) return claims[claim];
  let value: unknown = claims;
  for (const part of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Claims)[part];
  }
  return value;
}

function valuesOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}
