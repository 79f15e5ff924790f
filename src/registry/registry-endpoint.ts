import type { Clock, Instant } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import { ImageUnacceptable } from '../image/image-unacceptable.ts';
import { quoted } from '../image/quoted.ts';
import { FetchFailed, type HostSettings, type UntrustedFetch, type UntrustedResponse } from '../untrusted-fetch.ts';
import { BearerTokens, TokenRefused, type TokenService } from './bearer-token.ts';
import { parseChallenges } from './challenge.ts';
import { basicHeader, type Credentials, type CredentialSource } from './credentials.ts';
import { retryAfterSeconds } from './retry-after.ts';

/** One registry host, and all that is needed to speak with it. */
export interface EndpointOptions {
  /** The registry's name in references; the only name that messages use. */
  readonly name: string;
  /** `host` or `host:port` of its API. */
  readonly host: string;
  /** Of the host itself, of its realms and of hosts that it may redirect to. */
  readonly settings: ReadonlyMap<string, HostSettings>;
  /** Hosts that may issue its tokens. */
  readonly realms: ReadonlySet<string>;
  readonly credentials: CredentialSource;
  /** Who asks, in the words of a refusal: `this site`. */
  readonly reader: string;
  /** What helps who is refused; empty = nothing does here. */
  readonly advice: string;
  /** Milliseconds for one exchange. */
  readonly deadline: number;
}

export interface EndpointRequest {
  readonly method: 'GET' | 'HEAD';
  /** What a token is asked for. */
  readonly repository: string;
  /** From `/v2/` on, or a URL of this host. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxBytes: number;
}

/** However long a registry says to leave it alone, somebody asks again after this (milliseconds). */
const MAX_PAUSE = 300_000;

type Scheme = { readonly kind: 'basic' } | { readonly kind: 'bearer'; readonly from: TokenService };

/** Speaks with one registry host: authenticates as it is told to (distribution, spec/auth), and leaves it alone when it is told to. */
export class RegistryEndpoint {
  readonly #options: EndpointOptions;
  readonly #fetch: UntrustedFetch;
  readonly #clock: Clock;
  readonly #tokens: BearerTokens;
  /** What the registry last asked for, so that the next request brings it along. */
  #scheme: Scheme | undefined;
  #pausedUntil: Instant = 0;

  constructor(options: EndpointOptions, fetch: UntrustedFetch, clock: Clock) {
    this.#options = options;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#tokens = new BearerTokens(fetch, clock, options.deadline, (host) => options.settings.get(host));
  }

  /** `https://host`, or http for a host that is marked insecure. */
  get origin(): string {
    return new URL(`${this.#isInsecure() ? 'http' : 'https'}://${this.#options.host}`).origin;
  }

  /**
   * The answer, which is 2xx, 3xx, or a 4xx that means something other than "no access" or "later". Throws
   * ImageUnacceptable `image.denied`, RegistryUnavailable, RegistryInvalid, or the signal's reason.
   */
  async request(request: EndpointRequest, signal: AbortSignal): Promise<UntrustedResponse> {
    try {
      return this.#judge(await this.#exchange(request, signal), request);
    } catch (error) {
      if (error instanceof FetchFailed) throw asGatewayError(error, this.#options.name);
      if (error instanceof TokenRefused) throw this.#denied(request);
      throw error;
    }
  }

  async #exchange(request: EndpointRequest, signal: AbortSignal): Promise<UntrustedResponse> {
    this.#refuseWhilePaused();
    const first = await this.#authorization(request.repository, undefined, signal);
    const response = await this.#send(request, first, signal);
    if (response.status !== 401 || new URL(response.url).origin !== this.origin) return response;
    const scheme = this.#schemeOf(response);
    if (scheme === undefined) return response;
    this.#scheme = scheme;
    const second = await this.#authorization(request.repository, first, signal);
    // Once: a token with fewer rights than asked for is no error of the token service's.
    return second === undefined || (second === first && scheme.kind === 'basic') ? response : await this.#send(request, second, signal);
  }

  #send(request: EndpointRequest, authorization: string | undefined, signal: AbortSignal): Promise<UntrustedResponse> {
    const { method, path, maxBytes, headers = {} } = request;
    const url = new URL(path, this.origin).href;
    const settings = (host: string): HostSettings | undefined => this.#options.settings.get(host);
    const sent = { ...headers, ...(authorization === undefined ? {} : { authorization }) };
    return this.#fetch.fetch({ url, method, headers: sent, maxBytes, deadline: this.#options.deadline, signal, settings });
  }

  /** The header for a repository by the scheme that is known; `refused` is one that was not enough. */
  async #authorization(repository: string, refused: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (this.#scheme === undefined) return undefined;
    const credentials = await this.#options.credentials();
    if (this.#scheme.kind === 'basic') return credentials?.kind === 'basic' ? basicHeader(credentials.username, credentials.password) : undefined;
    if (credentials?.kind === 'registry-token') return `Bearer ${credentials.token}`;
    return `Bearer ${await this.#bearer(this.#scheme.from, repository, credentials, refused?.replace(/^Bearer /, ''), signal)}`;
  }

  async #bearer(from: TokenService, repository: string, credentials: Credentials | undefined, stale: string | undefined, signal: AbortSignal): Promise<string> {
    return this.#tokens.token(from, repository, credentials, stale, signal);
  }

  /** Bearer before Basic, as the password then goes to the token service only. Throws RegistryInvalid for a realm elsewhere. */
  #schemeOf(response: UntrustedResponse): Scheme | undefined {
    const challenges = parseChallenges(response.headers['www-authenticate']);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const realm = bearer?.parameters.get('realm');
    if (bearer !== undefined && realm !== undefined) {
      this.#checkRealm(realm);
      return { kind: 'bearer', from: { realm, service: bearer.parameters.get('service') } };
    }
    return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
  }

  #checkRealm(realm: string): void {
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    const allowed = url !== undefined && this.#options.realms.has(url.host) && url.username === '' && url.password === '' && url.hash === '';
    if (allowed && (url.protocol === 'https:' || (url.protocol === 'http:' && this.#isInsecure()))) return;
    const where = url === undefined ? 'no URL' : `at ${quoted(`${url.protocol}//${url.host}`)}`;
    throw new GatewayError('RegistryInvalid', `the registry ${this.#options.name} wants its tokens from a service that is not configured for it (${where})`);
  }

  #judge(response: UntrustedResponse, request: EndpointRequest): UntrustedResponse {
    const { status } = response;
    if (status === 429 || status === 503) throw this.#busy(response);
    if (status >= 500) throw new GatewayError('RegistryUnavailable', `the registry ${this.#options.name} answers ${status}`);
    if (status < 400) return response;
    // What a storage behind the registry refuses says nothing of the image.
    if (new URL(response.url).origin !== this.origin) throw new GatewayError('RegistryInvalid', `the registry ${this.#options.name} redirects to a host that answers ${status}`);
    if (status === 401 || status === 403) throw this.#denied(request);
    return response;
  }

  #denied(request: EndpointRequest): ImageUnacceptable {
    const { name, reader, advice } = this.#options;
    return new ImageUnacceptable('image.denied', `the registry ${name} does not let ${reader} read ${quoted(request.repository)}, or has no such repository${advice}`);
  }

  #busy(response: UntrustedResponse): GatewayError {
    const seconds = retryAfterSeconds(response.headers['retry-after'], this.#clock.now());
    if (seconds !== undefined) this.#pausedUntil = this.#clock.now() + Math.min(seconds * 1000, MAX_PAUSE);
    return this.#later(response.status === 429 ? 'has had too many requests' : 'is busy', seconds);
  }

  #refuseWhilePaused(): void {
    const left = this.#pausedUntil - this.#clock.now();
    if (left > 0) throw this.#later('asked to be left alone', Math.ceil(left / 1000));
  }

  #later(why: string, seconds: number | undefined): GatewayError {
    const when = seconds === undefined ? '' : `; it may be asked again in ${seconds} s`;
    return new GatewayError('RegistryUnavailable', `the registry ${this.#options.name} ${why}${when}`, { headers: seconds === undefined ? {} : { 'Retry-After': String(seconds) } });
  }

  #isInsecure(): boolean {
    return this.#options.settings.get(this.#options.host)?.insecure ?? false;
  }
}

/** An outage where there was none to ask or to listen to, an invalid answer where there was one that is not taken. */
function asGatewayError(error: FetchFailed, name: string): GatewayError {
  const outage = error.failure === 'unreachable' || error.failure === 'interrupted' || error.failure === 'deadline';
  return new GatewayError(outage ? 'RegistryUnavailable' : 'RegistryInvalid', `the registry ${name} gave no usable answer: ${error.message}`, { cause: error });
}
