import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.ts';
import { type ParameterisedHeader, parseParameterisedHeader } from './header-parameters.ts';

/** One name and value of a form or query, in the order given; names may repeat. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/**
 * How much of a body beyond the limit is read and thrown away (bytes), so that a client which sends slightly too much is
 * still there to read the 413; whoever sends more is cut off.
 */
const LINGER = 1024 * 1024;

/** A body of which only the beginning has been read. One of its two methods must be called. */
export interface OpenBody {
  /** The first bytes: at least as many as were asked for, or all there are. */
  readonly prefix: Buffer;
  /** The whole body. Throws as readBody. */
  whole(): Promise<Buffer>;
  /** Throws the rest away while the answer goes out; a client that sends more than DISCARD bytes is cut off. */
  discard(): Promise<void>;
}

/** As much as is thrown away of a body that nobody wants (bytes). */
const DISCARD = 64 * 1024 * 1024;

/**
 * The whole body, at most `limit` bytes, also where no length is declared. Throws TooLarge (with `Connection: close`),
 * UnsupportedMediaType for a Content-Encoding (a small body could unpack to anything), BadRequest when the client breaks off.
 * Whether a body without Content-Type is accepted is for the caller to decide.
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return (await openBody(request, limit, 0)).whole();
}

/**
 * Begins to read a body: for a protocol in which its first bytes can decide that nobody wants the rest. Throws
 * UnsupportedMediaType, BadRequest as readBody.
 */
export async function openBody(request: IncomingMessage, limit: number, prefixBytes: number): Promise<OpenBody> {
  refuseEncoded(request);
  // A plain loop would destroy the connection when left, and with it the answer.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const kept: Buffer[] = [];
  let size = 0;
  const readUntil = async (enough: number): Promise<void> => {
    while (size < enough) {
      const next = await chunks.next().catch((error: unknown) => {
        throw new GatewayError('BadRequest', 'the request body was cut off', { cause: error });
      });
      if (next.done === true) return;
      if (size <= limit) kept.push(next.value);
      size += next.value.length;
    }
  };
  await readUntil(Math.min(prefixBytes, limit));
  return {
    prefix: Buffer.concat(kept),
    whole: async () => {
      if (Number(request.headers['content-length'] ?? 0) > limit + LINGER) throw tooLarge(limit);
      await readUntil(limit + LINGER + 1);
      if (size > limit) throw tooLarge(limit);
      return Buffer.concat(kept, size);
    },
    discard: async () => {
      // Who waits for "100 Continue" has sent nothing yet, and need not.
      if (size === 0 && request.headers.expect !== undefined) return;
      await chunks.return?.();
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > DISCARD) request.destroy();
      });
    },
  };
}

function refuseEncoded(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') throw new GatewayError('UnsupportedMediaType', 'a request body with Content-Encoding is not accepted');
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('TooLarge', `the request body is larger than ${String(limit)} bytes`, { headers: { Connection: 'close' } });
}

/** Whether the request has a body at all: an empty POST has none, whatever its Content-Type. */
export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/** The request's Content-Type, undefined where it has none. Throws UnsupportedMediaType when it is malformed. */
export function contentTypeOf(request: IncomingMessage): ParameterisedHeader | undefined {
  const header = request.headers['content-type'];
  if (header === undefined || header.trim() === '') return undefined;
  return parseContentType(header);
}

/** A media type with its parameters. Throws UnsupportedMediaType. */
export function parseContentType(text: string): ParameterisedHeader {
  const parsed = parseParameterisedHeader(text);
  if (parsed !== undefined && /^[^/\s]+\/[^/\s]+$/.test(parsed.value)) return parsed;
  throw new GatewayError('UnsupportedMediaType', 'the Content-Type is malformed');
}

/** The boundary of a multipart type. Throws BadRequest where it has none. */
export function boundaryOf(type: ParameterisedHeader): string {
  const boundary = type.parameters.get('boundary') ?? '';
  if (boundary === '' || boundary.length > 200) throw new GatewayError('BadRequest', 'the Content-Type has no usable boundary');
  return boundary;
}

/**
 * Text as UTF-8, a byte order mark taken off. Throws UnsupportedMediaType where `type` names another charset, BadRequest where
 * the bytes are not UTF-8.
 */
export function decodeText(bytes: Uint8Array, type?: ParameterisedHeader): string {
  const charset = type?.parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (!['utf-8', 'utf8', 'us-ascii'].includes(charset)) throw new GatewayError('UnsupportedMediaType', 'text must be in UTF-8');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new GatewayError('BadRequest', 'the text is not UTF-8', { cause: error });
  }
}

/** More names than any task or job has; a query is also capped by the HTTP parser. */
const MAX_FIELDS = 2000;

/** An application/x-www-form-urlencoded body (WHATWG URL §5.1), but strict: a `%` that escapes nothing or no UTF-8 is a BadRequest. */
export function decodeForm(bytes: Uint8Array, type?: ParameterisedHeader): readonly Field[] {
  const pairs = decodeText(bytes, type).split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_FIELDS) throw new GatewayError('BadRequest', `more than ${String(MAX_FIELDS)} parameters`);
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    const name = unescape(equals === -1 ? pair : pair.slice(0, equals), 'the name of a parameter');
    return { name, value: equals === -1 ? '' : unescape(pair.slice(equals + 1), `the parameter ${JSON.stringify(name.slice(0, 100))}`) };
  });
}

/** The query of a request's URL; raw UTF-8 in it, which Node hands over as Latin-1, is taken for what it is. Throws BadRequest. */
export function decodeQuery(url: string): readonly Field[] {
  const mark = url.indexOf('?');
  if (mark === -1) return [];
  const hash = url.indexOf('#', mark);
  return decodeForm(Buffer.from(url.slice(mark + 1, hash === -1 ? undefined : hash), 'latin1'));
}

function unescape(text: string, what: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw new GatewayError('BadRequest', `${what} has a percent escape that is none, or one of bytes that are not UTF-8`, { cause: error });
  }
}
