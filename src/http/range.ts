import { GatewayError } from '../errors.ts';

/** Bytes of a body, both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a Range header asks of a body of `size` bytes (RFC 9110 §14.2), or undefined where the whole body is to be
 * sent: no header, another unit, several ranges, or nonsense. Throws RangeNotSatisfiable for a range that lies outside.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const last = match[2] === '' ? Infinity : Number(match[2]);
  const start = match[1] === '' ? Math.max(0, size - last) : Number(match[1]);
  const end = match[1] === '' ? size - 1 : Math.min(last, size - 1);
  if (match[1] !== '' && last < start) return undefined;
  if (start < size && end >= start) return { start, end };
  throw new GatewayError('RangeNotSatisfiable', `the range lies outside the ${String(size)} bytes`, { headers: { 'Content-Range': `bytes */${String(size)}` } });
}
