import { z } from 'zod';
import type { Clock, Instant } from '../clock.ts';
import type { IssuerConfig } from './identity-config.ts';
import type { IssuerFetch } from './issuer-fetch.ts';

/** OpenID Connect Discovery 1.0 §3, as much of it as is needed here. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url(), userinfo_endpoint: z.url().optional() });

export type IssuerMetadata = z.output<typeof metadataSchema>;

/** How long metadata counts; where an issuer's documents are changes once in years (milliseconds). */
const GOOD_FOR = 3_600_000;

/** After a failure the issuer is left alone for this long (milliseconds), so that its outage does not become a flood. */
const LEAVE_ALONE = 5_000;

/** Where an issuer has its keys and its userinfo: its discovery document, remembered. */
export class IssuerMetadataSource {
  readonly #config: IssuerConfig;
  readonly #fetch: IssuerFetch;
  readonly #clock: Clock;
  #known: { readonly metadata: IssuerMetadata; readonly until: Instant } | undefined;
  #failure: { readonly error: unknown; readonly until: Instant } | undefined;
  #asking: Promise<IssuerMetadata> | undefined;

  constructor(config: IssuerConfig, fetch: IssuerFetch, clock: Clock) {
    this.#config = config;
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** Throws Unavailable while the issuer has never answered. One question is under way at a time, for everybody. */
  async get(): Promise<IssuerMetadata> {
    const now = this.#clock.now();
    if (this.#known !== undefined && this.#known.until > now) return this.#known.metadata;
    if (this.#failure !== undefined && this.#failure.until > now) return this.#fallback(this.#failure.error);
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<IssuerMetadata> {
    const { issuer } = this.#config;
    try {
      const metadata = await this.#fetch.json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, 'its metadata', metadataSchema);
      // Discovery §4.3: exactly the issuer that was asked for, or keys of one would count for another
      if (metadata.issuer !== issuer) throw this.#fetch.unavailable('calls itself by another name in its metadata');
      this.#known = { metadata, until: this.#clock.now() + GOOD_FOR };
      this.#failure = undefined;
      return metadata;
    } catch (error) {
      this.#failure = { error, until: this.#clock.now() + LEAVE_ALONE };
      return this.#fallback(error);
    }
  }

  /** What was true an hour ago is likelier true than nothing at all. */
  #fallback(error: unknown): IssuerMetadata {
    if (this.#known !== undefined) return this.#known.metadata;
    throw error;
  }
}
