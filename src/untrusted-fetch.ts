import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, request as send, type Dispatcher } from 'undici';
import type { Clock } from './clock.ts';

/** What the operator says of a host that may be asked. Nothing = a public host, over https, with the system's CAs. */
export interface HostSettings {
  /** Plain http may be spoken with it. */
  readonly insecure?: boolean;
  /** It may have a private or loopback address. Link-local ones (cloud metadata), multicast and the like stay refused. */
  readonly internal?: boolean;
  /** The PEM certificates that alone may vouch for it. */
  readonly ca?: string;
}

export interface UntrustedRequest {
  readonly url: string;
  /** POST is never redirected. */
  readonly method?: 'GET' | 'HEAD' | 'POST';
  /** Sent to the URL's origin; `authorization` to no other one. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest body of a successful answer (bytes). Of an error's body at most 64 KiB are kept. */
  readonly maxBytes: number;
  /** Milliseconds for everything: connections, redirects, the last byte. */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** Asked with `host` or `host:port` for the URL and for every redirect. */
  readonly settings?: (host: string) => HostSettings | undefined;
}

export interface UntrustedResponse {
  readonly status: number;
  /** Names in lower case; repeated ones joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/**
 * `unreachable`, `interrupted`, `deadline`: an outage. `url`, `address`: where the request may not go. `redirects`,
 * `encoding`, `too-large`: an answer that is not taken.
 */
export type FetchFailure = 'unreachable' | 'interrupted' | 'deadline' | 'url' | 'address' | 'redirects' | 'encoding' | 'too-large';

/** An exchange that gave no answer. The message names the host and never quotes the other side. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed';
  readonly failure: FetchFailure;

  constructor(failure: FetchFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

const MAX_REDIRECTS = 3;
const MAX_ERROR_BODY = 64 * 1024;
/** Enough for any registry's signed redirect; what is more is an attack on memory (bytes). */
const MAX_HEADER = 16 * 1024;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Private in the sense of an intranet: what an operator can mean by "internal". */
const INTERNAL_RANGES: ReadonlySet<string> = new Set(['private', 'loopback', 'uniqueLocal', 'carrierGradeNat']);
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Whether a connection to this address may be opened. Whatever is special (RFC 6890) or translates to IPv4 is not. */
export function isAllowedAddress(address: string, internal: boolean): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (INTERNAL_RANGES.has(range)) return internal;
  return range === 'unicast' && (parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6));
}

/**
 * The program's only way out by HTTP: to addresses that may be reached, over https unless the host is marked insecure,
 * within a deadline and a number of bytes, without decompressing anything, and without proxies from the environment.
 */
export class UntrustedFetch {
  readonly #clock: Clock;
  readonly #agents = new Map<string, Agent>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws FetchFailed, or the signal's reason when it aborts. Any HTTP status is an answer. */
  async fetch(request: UntrustedRequest): Promise<UntrustedResponse> {
    request.signal?.throwIfAborted();
    const stop = new AbortController();
    const over = new AbortController();
    const abort = (): void => stop.abort(request.signal?.reason);
    request.signal?.addEventListener('abort', abort, { once: true });
    void this.#clock.sleep(request.deadline, over.signal).then(() => {
      if (!over.signal.aborted) stop.abort(new FetchFailed('deadline', `${hostOf(request.url)} did not answer within ${request.deadline / 1000} s`));
    });
    try {
      return await this.#follow(request, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) throw stop.signal.reason;
      throw translate(error, request.url);
    } finally {
      over.abort();
      request.signal?.removeEventListener('abort', abort);
    }
  }

  /** Closes idle connections and waits for busy ones. */
  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.close()));
    this.#agents.clear();
  }

  async #follow(request: UntrustedRequest, signal: AbortSignal): Promise<UntrustedResponse> {
    let url = parseUrl(request.url, undefined);
    let headers = { ...lowerCase(request.headers), 'accept-encoding': 'identity' };
    for (let hops = 0; ; hops += 1) {
      const settings = checkUrl(url, request);
      const response = await this.#send(url, headers, request, settings, signal);
      const location = REDIRECTS.has(response.statusCode) && request.method !== 'POST' ? response.headers['location'] : undefined;
      if (location === undefined) return await read(response, url, request.maxBytes);
      await response.body.dump({ limit: MAX_ERROR_BODY, signal });
      if (hops === MAX_REDIRECTS) throw new FetchFailed('redirects', `${hostOf(request.url)} redirects more than ${MAX_REDIRECTS} times`);
      const next = parseUrl(String(location), url);
      // Distribution-spec: credentials must not follow to another origin; nor back, once they were let go.
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      url = next;
    }
  }

  async #send(url: URL, headers: Record<string, string>, request: UntrustedRequest, settings: HostSettings, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const method = request.method ?? 'GET';
    const options = { method, headers, signal, dispatcher: this.#agent(settings), ...(request.body === undefined ? {} : { body: request.body }) };
    try {
      return await send(url, options);
    } catch (error) {
      // A kept connection can be closed by the other side in the moment it is used again.
      if (method === 'POST' || signal.aborted || !isReset(error)) throw error;
      return await send(url, options);
    }
  }

  #agent(settings: HostSettings): Agent {
    const key = JSON.stringify([settings.internal ?? false, settings.ca ?? '']);
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = new Agent({
        connections: 16,
        maxHeaderSize: MAX_HEADER,
        // The deadline of the whole exchange does what these would, and cannot be stretched byte by byte.
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: {
          lookup: guardedLookup(settings.internal ?? false),
          // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment does not decide.
          rejectUnauthorized: true,
          ...(settings.ca === undefined ? {} : { ca: settings.ca }),
        },
      });
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

function parseUrl(text: string, base: URL | undefined): URL {
  try {
    return new URL(text, base);
  } catch {
    throw new FetchFailed('url', base === undefined ? 'the URL is malformed' : `${base.host} redirects to a malformed URL`);
  }
}

/** Scheme and literal addresses; names are looked at when they are resolved, which no lookup guard does for literals. */
function checkUrl(url: URL, request: UntrustedRequest): HostSettings {
  const settings = request.settings?.(url.host) ?? {};
  if (url.username !== '' || url.password !== '') throw new FetchFailed('url', `a URL at ${url.host} holds credentials`);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && settings.insecure)) {
    throw new FetchFailed('url', `${url.host} would be asked over ${url.protocol.slice(0, -1)}, which is not allowed for it`);
  }
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (ipaddr.isValid(literal) && !isAllowedAddress(literal, settings.internal ?? false)) {
    throw new FetchFailed('address', `${url.host} is not an address that may be asked${unlessInternal([literal])}`);
  }
  return settings;
}

/** What an operator has to say, where saying it helps: some addresses are asked under no configuration. */
function unlessInternal(addresses: readonly string[]): string {
  return addresses.every((address) => isAllowedAddress(address, true)) ? ' (it is private or loopback, and the configuration does not say internal: true)' : '';
}

/** Resolves as the system does and refuses a name with any address that may not be asked, so that what was looked at is what is connected to. */
export function guardedLookup(internal: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const first = addresses?.[0];
      if (error !== null) return callback(error, []);
      if (first === undefined || !addresses.every(({ address }) => isAllowedAddress(address, internal))) {
        return callback(new FetchFailed('address', `${hostname} has an address that may not be asked${unlessInternal((addresses ?? []).map(({ address }) => address))}`), []);
      }
      if (options.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

async function read(response: Dispatcher.ResponseData, url: URL, maxBytes: number): Promise<UntrustedResponse> {
  const { statusCode: status, body } = response;
  // A body that is let go early says so by an error, which nobody else would hear.
  body.on('error', () => undefined);
  const headers = joined(response.headers);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    body.destroy();
    throw new FetchFailed('encoding', `${url.host} answers compressed, though it was asked not to`);
  }
  const isError = status >= 300;
  const limit = isError ? Math.min(MAX_ERROR_BODY, maxBytes) : maxBytes;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('undici gave a chunk that is no buffer');
    length += chunk.length;
    if (length > limit && !isError) throw new FetchFailed('too-large', `${url.host} answers with more than ${maxBytes} bytes`);
    chunks.push(chunk);
    if (length > limit) break;
  }
  return { status, headers, bytes: Buffer.concat(chunks).subarray(0, limit), url: url.href };
}

function joined(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), Array.isArray(value) ? value.join(', ') : (value ?? '')]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function withoutCredentials<T extends Record<string, string>>(headers: T): T {
  const kept = { ...headers };
  delete kept['authorization'];
  delete kept['cookie'];
  return kept;
}

function isReset(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(errorCode(error));
}

function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function translate(error: unknown, url: string): unknown {
  if (error instanceof FetchFailed) return error;
  const code = errorCode(error);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return new FetchFailed('too-large', `${hostOf(url)} answers with more than ${MAX_HEADER} bytes of headers`, error);
  // What is not HTTP carries no code of undici's own.
  const unreadable = error instanceof Error && error.name === 'HTTPParserError';
  const begun = ['UND_ERR_SOCKET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'ECONNRESET'].includes(code);
  if (begun || unreadable) return new FetchFailed('interrupted', `${hostOf(url)} broke off its answer`, error);
  return new FetchFailed('unreachable', `${hostOf(url)} cannot be reached${/^[A-Z0-9_]+$/.test(code) ? ` (${code})` : ''}`, error);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the host';
}
