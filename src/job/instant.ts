import type { Instant } from '../clock.ts';

/** ISO 8601, `T`, milliseconds, `Z`: the one spelling in which instants are printed (UWS 1.1 §2.2), as precise as they are compared. */
export function formatInstant(instant: Instant): string {
  return new Date(instant).toISOString();
}

const FORM = /^(\d{4})(?:-?(\d{2})(?:-?(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?)?(Z?)$/;

/**
 * An instant as VO clients write it: `YYYY`, `YYYYMMDD`, `YYYY-MM`, a date, a date-time with `T` or blank, with or without
 * seconds, fraction and `Z`; always UTC. Undefined for anything else: offsets, impossible dates, 24:00, leap seconds.
 * JavaScript's own parser takes local times and 30 February, so the fields are compared with what they became.
 */
export function parseInstant(text: string): Instant | undefined {
  const match = FORM.exec(text);
  if (match === null || (match[8] === 'Z' && match[4] === undefined)) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(match[i] ?? (i === 2 || i === 3 ? 1 : 0))) as [
    number, number, number, number, number, number,
  ];
  if (year < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, Number((match[7] ?? '0').padEnd(3, '0').slice(0, 3)));
  const same = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return same ? date.getTime() : undefined;
}
