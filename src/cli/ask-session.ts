import type { Clock } from '../clock.ts';
import type { UntrustedFetch, UntrustedResponse } from '../untrusted-fetch.ts';

/** What the command works with; replaced in tests. */
export interface AskSurroundings {
  readonly clock: Clock;
  /** Prints to standard output. */
  readonly out: (text: string) => void;
  /** Prints to standard error. */
  readonly err: (text: string) => void;
  /** Whether a line on standard error can be written over. */
  readonly overwrites: boolean;
  readonly environment: NodeJS.ProcessEnv;
}

/** One person's talk with a planner and the services that it names. */
export interface AskSession {
  readonly fetch: UntrustedFetch;
  /** Of the question. */
  readonly url: URL;
  /** Bearer token; sent to the planner's own origin only. */
  readonly token?: string;
}

export interface SessionRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly maxBytes?: number;
  /** Seconds. */
  readonly deadline?: number;
}

/** Documents are small (bytes). */
const DOCUMENT = 16 * 1024 * 1024;

/**
 * Sends one request. The planner's host may be anywhere, since the user has named it; a service that it names must be public
 * and speak https, unless the planner itself was asked over http: whoever does that is at home. Throws FetchFailed.
 */
export async function request(session: AskSession, url: string, { method = 'GET', headers = {}, body, maxBytes = DOCUMENT, deadline = 60 }: SessionRequest = {}): Promise<UntrustedResponse> {
  const { fetch, url: planner, token } = session;
  const atHome = planner.protocol === 'http:';
  const own = new URL(url).origin === planner.origin;
  return fetch.fetch({
    url,
    method,
    headers: { ...headers, ...(own && token !== undefined ? { authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { body }),
    maxBytes,
    deadline: deadline * 1000,
    settings: (host) => (atHome ? { internal: true, insecure: true } : host === planner.host ? { internal: true } : undefined),
  });
}

/** A status that is no answer, in words. */
export function unexpected(what: string, { status, bytes }: UntrustedResponse): Error {
  return new Error(`${what}: HTTP ${String(status)}: ${printable(bytes.toString('utf8').trim()).slice(0, 500)}`);
}

/** Text of others for a terminal: nothing that moves the cursor or turns the reading direction. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
