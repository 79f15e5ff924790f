import type { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { FetchFailed, type HostSettings, type UntrustedFetch, type UntrustedResponse } from '../untrusted-fetch.ts';
import type { IssuerConfig } from './identity-config.ts';

/** Everything that one question to an issuer may take (milliseconds); somebody's request waits for it. */
const DEADLINE = 5_000;

/** Bytes of a document of an issuer. Real ones have some thousand; a person in hundreds of groups has more. */
const MAX_BYTES = 256 * 1024;

/** Asks one issuer for its documents, as the operator's configuration says of its host. */
export class IssuerFetch {
  readonly #fetch: UntrustedFetch;
  readonly #config: IssuerConfig;
  readonly #ca: string | undefined;

  /** `ca`: the certificates of config.ca, read in. */
  constructor(fetch: UntrustedFetch, config: IssuerConfig, ca: string | undefined) {
    this.#fetch = fetch;
    this.#config = config;
    this.#ca = ca;
  }

  /** One JSON document of this shape. Throws Unavailable when it cannot be had or read. */
  async json<T>(url: string, what: string, shape: z.ZodType<T>): Promise<T> {
    const response = await this.get(url, what);
    if (response.status !== 200) throw this.unavailable(`answered with status ${String(response.status)} when asked for ${what}`);
    return this.parse(response, what, shape);
  }

  /** Any answer. `token` is shown to the URL's own origin only. Throws Unavailable where there is none. */
  async get(url: string, what: string, token?: string): Promise<UntrustedResponse> {
    const headers = { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    try {
      return await this.#fetch.fetch({ url, headers, maxBytes: MAX_BYTES, deadline: DEADLINE, settings: (host) => this.#settings(host) });
    } catch (error) {
      if (error instanceof FetchFailed) throw this.unavailable(`could not be asked for ${what}: ${error.message}`, error);
      throw error;
    }
  }

  parse<T>({ bytes, headers }: UntrustedResponse, what: string, shape: z.ZodType<T>): T {
    if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '')) throw this.unavailable(`gave ${what} that is not JSON`);
    const result = shape.safeParse(parseJson(bytes));
    if (!result.success) throw this.unavailable(`gave ${what} that cannot be used`, result.error);
    return result.data;
  }

  unavailable(what: string, cause?: unknown): GatewayError {
    return new GatewayError('Unavailable', `the issuer ${this.#config.name} ${what}`, { headers: { 'Retry-After': '10' }, ...(cause === undefined ? {} : { cause }) });
  }

  /** What the operator says of the issuer holds for its own host and port, not for where its documents may point. */
  #settings(host: string): HostSettings | undefined {
    const { issuer, insecure, internal } = this.#config;
    if (host !== new URL(issuer).host) return undefined;
    return { insecure, internal, ...(this.#ca === undefined ? {} : { ca: this.#ca }) };
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
