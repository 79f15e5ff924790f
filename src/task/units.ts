/** Bytes of each suffix: binary, as Docker, Compose and the Execution Planner's successor read `8G` (also written GB, Gi, GiB). */
const FACTORS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

const SIZE = /^(\d{1,16}(?:\.\d{1,6})?)\s?(?:([KMGT])i?)?B?$/i;

/**
 * A size such as `512M`, `1.5G`, `2GiB` in bytes, or undefined where `text` is none. A bare number is counted in
 * `bareUnit`; without one it is refused, because people mean bytes by it as often as gigabytes.
 */
export function parseSize(text: string, bareUnit?: 'G'): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const bare = /^[\d.]+$/.test(text.trim());
  if (bare && bareUnit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * (FACTORS[bare ? 'G' : (match[2] ?? '').toUpperCase()] ?? 1));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** Bytes with the largest suffix that says them exactly: `8G`, `1536M`, `1000B`. */
export function formatSize(bytes: number): string {
  for (const suffix of ['T', 'G', 'M', 'K']) {
    const factor = FACTORS[suffix] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${String(bytes / factor)}${suffix}`;
  }
  return `${String(bytes)}B`;
}

const SHORT = /^(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,10})m)?(?:(\d{1,10})s)?$/;
const ISO = /^P(?:(\d{1,6})W|(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,10})M)?(?:(\d{1,10})S)?)?)$/;

/**
 * A duration in whole seconds: `60`, `60s`, `5m`, `1h30m`, `2d`, or ISO 8601 (`PT5M`, `P1D`, `P1W`); undefined where `text` is
 * none. Years and months have no fixed length and are refused.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d{1,10}$/.test(trimmed)) return Number(trimmed);
  const short = SHORT.exec(trimmed);
  if (short !== null && trimmed !== '') return inSeconds(undefined, ...short.slice(1, 5));
  const iso = ISO.exec(trimmed);
  if (iso === null || /[PT]$/.test(trimmed)) return undefined;
  return inSeconds(...iso.slice(1, 6));
}

function inSeconds(...[weeks, days, hours, minutes, seconds]: readonly (string | undefined)[]): number {
  const n = (text: string | undefined): number => Number(text ?? 0);
  return n(weeks) * 604800 + n(days) * 86400 + n(hours) * 3600 + n(minutes) * 60 + n(seconds);
}

/** Seconds as an ISO 8601 duration: `PT5M`, `P1DT30S`. */
export function formatDuration(seconds: number): string {
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const say = (value: number | undefined, unit: string): string => (value ? `${String(value)}${unit}` : '');
  const time = say(parts[1], 'H') + say(parts[2], 'M') + say(parts[3], 'S');
  const day = say(parts[0], 'D');
  return day + time === '' ? 'PT0S' : `P${day}${time === '' ? '' : `T${time}`}`;
}

/** Cores as people write them, `2` or `0.5`, in thousandths at the finest; undefined where `text` is no positive number. */
export function parseCores(text: string): number | undefined {
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text.trim())) return undefined;
  const cores = Number(text);
  return cores > 0 ? cores : undefined;
}

/** A whole number of things that are counted, 0 to 999; undefined = it is none. */
export function parseCount(text: string): number | undefined {
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}
