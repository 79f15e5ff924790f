import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.ts';

/** A content digest `sha256:<64 lower-case hex digits>` (OCI image-spec, descriptor.md). No other algorithm is accepted. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a digest, exactly. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST.test(text);
}

/** `text` as a digest. Throws BadReference. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new GatewayError('BadReference', `not a digest of the form sha256:<64 lower-case hex digits>: ${JSON.stringify(text.slice(0, 100))}`);
}

/** The digest of exactly these bytes. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
