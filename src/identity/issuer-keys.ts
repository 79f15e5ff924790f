import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Clock, Instant } from '../clock.ts';
import type { IssuerFetch } from './issuer-fetch.ts';
import type { IssuerMetadataSource } from './issuer-metadata.ts';

/** More keys than any issuer rotates through; each costs some work at an unknown kid. */
const MAX_KEYS = 100;

/** RFC 7517, as much of it as is needed to choose among keys; what else a key must have, jose says when it is used. */
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().max(1000).optional(), use: z.string().optional() })).max(MAX_KEYS) });

/** How long keys count before they are looked at again, so that a withdrawn one goes (milliseconds). */
const GOOD_FOR = 10 * 60_000;

/** How long old keys are used while the issuer does not answer (milliseconds). */
const LAST_RESORT = 24 * 3_600_000;

/** Between two questions, whoever invents whatever kid (milliseconds). */
const AT_MOST_EVERY = 30_000;

/** After a failure the issuer is left alone for this long (milliseconds). */
const LEAVE_ALONE = 5_000;

interface KeySet {
  readonly get: JWTVerifyGetKey;
  readonly fetched: Instant;
}

/** The public keys of one issuer, fetched when needed and again when a token names one that is not known. */
export class IssuerKeys {
  readonly #metadata: IssuerMetadataSource;
  readonly #fetch: IssuerFetch;
  readonly #clock: Clock;
  #known: KeySet | undefined;
  #asking: Promise<KeySet> | undefined;
  #failure: { readonly error: unknown; readonly until: Instant } | undefined;

  constructor(metadata: IssuerMetadataSource, fetch: IssuerFetch, clock: Clock) {
    this.#metadata = metadata;
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** For jose. Throws Unavailable when the keys cannot be had. */
  async current(): Promise<JWTVerifyGetKey> {
    if (this.#known !== undefined && this.#isYounger(this.#known, GOOD_FOR)) return this.#known.get;
    return (await this.#refresh()).get;
  }

  /** The keys after a rotation: undefined where they were fetched too recently to ask again, or have not changed. */
  async rotated(): Promise<JWTVerifyGetKey | undefined> {
    const before = this.#known;
    if (before !== undefined && this.#isYounger(before, AT_MOST_EVERY)) return undefined;
    const now = await this.#refresh();
    return now === before ? undefined : now.get;
  }

  async #refresh(): Promise<KeySet> {
    if (this.#failure !== undefined && this.#failure.until > this.#clock.now()) return this.#fallback(this.#failure.error);
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<KeySet> {
    try {
      const { jwks_uri: url } = await this.#metadata.get();
      const keys = parseKeySet(await this.#fetch.json(url, 'its keys', keySetSchema));
      this.#known = { get: createLocalJWKSet(keys), fetched: this.#clock.now() };
      this.#failure = undefined;
      return this.#known;
    } catch (error) {
      this.#failure = { error, until: this.#clock.now() + LEAVE_ALONE };
      return this.#fallback(error);
    }
  }

  /** A clock that was set back makes nothing younger. */
  #isYounger({ fetched }: KeySet, milliseconds: number): boolean {
    const age = this.#clock.now() - fetched;
    return age >= 0 && age < milliseconds;
  }

  #fallback(error: unknown): KeySet {
    if (this.#known !== undefined && this.#isYounger(this.#known, LAST_RESORT)) return this.#known;
    throw error;
  }
}

/** Of the keys only those for signatures that can be public: a symmetric one there is a mistake, or an attack. */
function parseKeySet({ keys }: z.output<typeof keySetSchema>): JSONWebKeySet {
  const usable = keys.filter(({ kty, use }) => ['RSA', 'EC', 'OKP'].includes(kty) && (use === undefined || use === 'sig'));
  return { keys: usable } as JSONWebKeySet;
}
