import type { Instant } from '../clock.ts';

/** A registry that wants to be left alone for longer than a day is down. */
const MAX_SECONDS = 24 * 3600;

/** Seconds until a request may be repeated: RFC 9110 §10.2.3, a number or a date. Undefined where the header is neither. */
export function retryAfterSeconds(header: string | undefined, now: Instant): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Math.min(Number(header), MAX_SECONDS);
  const date = /GMT$/.test(header.trim()) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(Math.ceil((date - now) / 1000), 0), MAX_SECONDS);
}
