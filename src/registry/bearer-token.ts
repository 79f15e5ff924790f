import { z } from 'zod';
import type { Clock, Instant } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { HostSettings, UntrustedFetch, UntrustedResponse } from '../untrusted-fetch.ts';
import { basicHeader, type Credentials } from './credentials.ts';
import { SingleFlight } from './single-flight.ts';

/** Where tokens come from, as a registry's challenge says. */
export interface TokenService {
  /** Checked: it may be told credentials. */
  readonly realm: string;
  readonly service: string | undefined;
}

/** Why a token service gave no token: `denied` is a verdict, for this repository and these credentials. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

const MAX_TOKEN_ANSWER = 2 ** 20;
/** Longest token that is sent on (characters): it has to fit into a header of the registry's. */
const MAX_TOKEN = 16 * 1024;
/** Distribution's token specification: what holds where the answer does not say. */
const DEFAULT_LIFE_SECONDS = 60;
const MAX_LIFE_SECONDS = 24 * 3600;
/** Renewed at this part of its life, so that no request is sent with a token that ends on the way. */
const RENEWED_AT = 0.8;
const MAX_TOKENS = 1000;

const answerSchema = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().nonnegative().optional(),
});

/** Access tokens of one registry, fetched once and kept until shortly before they end: distribution, spec/auth. */
export class BearerTokens {
  readonly #fetch: UntrustedFetch;
  readonly #clock: Clock;
  readonly #deadline: number;
  readonly #settings: (host: string) => HostSettings | undefined;
  readonly #tokens = new Map<string, { readonly value: string; readonly renewAt: Instant }>();
  readonly #flights = new SingleFlight<string>();

  /** `deadline` in milliseconds for one token; `settings` of the hosts that may be realms. */
  constructor(fetch: UntrustedFetch, clock: Clock, deadline: number, settings: (host: string) => HostSettings | undefined) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#settings = settings;
  }

  /**
   * A token to pull from `repository`; `stale` is one that the registry no longer takes. The scope is our own: never what
   * the challenge suggests. Throws TokenRefused, RegistryInvalid, RegistryUnavailable, FetchFailed.
   */
  async token(from: TokenService, repository: string, credentials: Credentials | undefined, stale: string | undefined, signal: AbortSignal): Promise<string> {
    const key = JSON.stringify([from.realm, from.service, repository]);
    const kept = this.#tokens.get(key);
    if (kept !== undefined && kept.value !== stale && this.#clock.now() < kept.renewAt) return kept.value;
    return this.#flights.run(key, signal, async (shared) => {
      const asked = this.#clock.now();
      const { value, life } = parseAnswer(await this.#ask(from, repository, credentials, shared), isOfSite(credentials));
      if (this.#tokens.size >= MAX_TOKENS) this.#tokens.clear();
      this.#tokens.set(key, { value, renewAt: asked + life * 1000 * RENEWED_AT });
      return value;
    });
  }

  #ask(from: TokenService, repository: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<UntrustedResponse> {
    const scope = `repository:${repository}:pull`;
    const common = { maxBytes: MAX_TOKEN_ANSWER, deadline: this.#deadline, signal, settings: this.#settings };
    const url = new URL(from.realm);
    if (credentials?.kind === 'identity-token') {
      const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'pratique', refresh_token: credentials.token, scope, ...(from.service === undefined ? {} : { service: from.service }) });
      return this.#fetch.fetch({ ...common, method: 'POST', url: url.href, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form.toString() });
    }
    if (from.service !== undefined) url.searchParams.set('service', from.service);
    url.searchParams.set('scope', scope);
    const headers: Record<string, string> = credentials?.kind === 'basic' ? { authorization: basicHeader(credentials.username, credentials.password) } : {};
    return this.#fetch.fetch({ ...common, url: url.href, headers });
  }
}

/** Whether the site has said who it is: a caller's wrong login is a verdict on what the caller asks for. */
function isOfSite(credentials: Credentials | undefined): boolean {
  return credentials !== undefined && !(credentials.kind === 'basic' && credentials.callers === true);
}

function parseAnswer(response: UntrustedResponse, asSite: boolean): { value: string; life: number } {
  const { host } = new URL(response.url);
  // Wrong credentials are the site's fault, and no verdict on the image.
  if (response.status === 401 && asSite) throw new GatewayError('RegistryUnavailable', `the token service ${host} does not accept the credentials of this gateway`);
  if ([400, 401, 403, 404].includes(response.status)) throw new TokenRefused(`the token service ${host} refuses`);
  if (response.status !== 200) {
    const retry = response.headers['retry-after'];
    throw new GatewayError('RegistryUnavailable', `the token service ${host} answers ${response.status}`, { headers: retry !== undefined && /^\d{1,6}$/.test(retry) ? { 'Retry-After': retry } : {} });
  }
  let answer: z.output<typeof answerSchema> | undefined;
  try {
    answer = answerSchema.parse(JSON.parse(response.bytes.toString('utf8')));
  } catch {
    answer = undefined;
  }
  const value = answer?.token ?? answer?.access_token;
  // Anything else could not stand in a header, or would make it two.
  if (value === undefined || value.length > MAX_TOKEN || !/^[\x21-\x7e]+$/.test(value)) throw new GatewayError('RegistryInvalid', `the token service ${host} gives no usable token`);
  return { value, life: Math.min(answer?.expires_in ?? DEFAULT_LIFE_SECONDS, MAX_LIFE_SECONDS) };
}
