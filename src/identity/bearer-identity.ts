import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Clock, Instant } from '../clock.ts';
import { groupsOf, idOf } from './claims.ts';
import type { IssuerConfig } from './identity-config.ts';
import { TokenRefused } from './token-refused.ts';
import { claimedIssuer, SKEW, type TokenVerifier } from './token-verifier.ts';
import type { Userinfo } from './userinfo.ts';

/** One issuer, ready to be asked. */
export interface Issuer {
  readonly config: IssuerConfig;
  readonly verifier: TokenVerifier;
  readonly userinfo: Userinfo;
}

/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** How long what userinfo said counts (milliseconds): a person who loses a group loses it here within a minute. */
const GOOD_FOR = 60_000;

/** How long a token counts as unknown that userinfo did not know (milliseconds). */
const UNKNOWN_FOR = 10_000;

/** Memory for what is remembered (bytes). */
const CACHE_BYTES = 32 * 1024 * 1024;

/** As much of what userinfo says as is needed. */
interface Person {
  readonly sub: string;
  /** The claim that the configuration takes the id from. */
  readonly subject: unknown;
  readonly groups: readonly string[];
  /** When userinfo has to be asked again. */
  readonly until: Instant;
}

type Answer = { readonly person: Person; readonly until: Instant } | { readonly refused: TokenRefused; readonly until: Instant };

/** Callers by their access tokens. */
export class BearerIdentity {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #opaque: Issuer | undefined;
  readonly #clock: Clock;
  /** The key is a hash, so that no token lies in memory for longer than its request. */
  readonly #answers = new LRUCache<string, Answer>({ maxSize: CACHE_BYTES, sizeCalculation: sizeOf });
  readonly #asking = new Map<string, Promise<Person>>();

  constructor(issuers: readonly Issuer[], clock: Clock) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.config.issuer, issuer]));
    this.#opaque = issuers.find(({ config }) => config.userinfo === 'opaque');
    this.#clock = clock;
  }

  /** Throws TokenRefused, or Unavailable when an issuer has to be asked and cannot be. */
  async identify(token: string): Promise<Caller> {
    if (!TOKEN.test(token)) throw new TokenRefused('the token is not written as a token is');
    const claimed = claimedIssuer(token);
    if (claimed === undefined) return this.#identifyOpaque(token);
    const issuer = this.#issuers.get(claimed);
    if (issuer === undefined) throw new TokenRefused('the token is of an issuer that is not known here');
    const { config } = issuer;
    const claims = await issuer.verifier.verify(token);
    const expires = ((claims.exp ?? 0) + SKEW) * 1000;
    if (config.userinfo === 'never') return { id: idOf(claims, config), groups: groupsOf(claims, config), until: expires };
    const person = await this.#ask(issuer, token, expires);
    // OpenID Connect Core §5.3.2, against an answer for somebody else
    if (person.sub !== claims.sub) throw new TokenRefused('the issuer speaks of somebody else than its token does');
    return { id: idOf({ [config.subject]: person.subject, ...claims }, config), groups: [...new Set([...groupsOf(claims, config), ...person.groups])], until: Math.min(person.until, expires) };
  }

  async #identifyOpaque(token: string): Promise<Caller> {
    if (this.#opaque === undefined) throw new TokenRefused('the token is not valid');
    const { config } = this.#opaque;
    const { subject, groups, until } = await this.#ask(this.#opaque, token, Infinity);
    return { id: idOf({ [config.subject]: subject }, config), groups, until };
  }

  /** What userinfo says of a token, remembered for a while; asked once at a time for each token. */
  async #ask(issuer: Issuer, token: string, expires: Instant): Promise<Person> {
    const key = createHash('sha256').update(issuer.config.name).update('\0').update(token).digest('base64');
    const known = this.#answers.get(key);
    if (known !== undefined && known.until > this.#clock.now()) {
      if ('refused' in known) throw known.refused;
      return known.person;
    }
    const asking = this.#asking.get(key) ?? this.#askNow(issuer, token, key, expires).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #askNow(issuer: Issuer, token: string, key: string, expires: Instant): Promise<Person> {
    try {
      const claims = await issuer.userinfo.claims(token);
      const until = Math.min(this.#clock.now() + GOOD_FOR, expires);
      const person: Person = { sub: claims.sub, subject: claims[issuer.config.subject], groups: groupsOf(claims, issuer.config), until };
      this.#answers.set(key, { person, until });
      return person;
    } catch (error) {
      if (error instanceof TokenRefused) this.#answers.set(key, { refused: error, until: this.#clock.now() + UNKNOWN_FOR });
      throw error;
    }
  }
}

function sizeOf(answer: Answer): number {
  return 'person' in answer ? answer.person.groups.reduce((sum, group) => sum + group.length, 500) : 500;
}
