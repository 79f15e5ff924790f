import { GatewayError } from '../errors.ts';
import { formatDuration, formatSize, parseCores, parseCount, parseDuration, parseSize } from '../task/units.ts';
import type { Branch, Value, Warning } from './question.ts';

/** What a task can ask for (note §5): cores; graphics processors; bytes of memory and of disk; seconds until it starts; seconds it runs. */
export const KINDS = ['cores', 'memory', 'store', 'startup', 'duration', 'gpus'] as const;
export type Kind = (typeof KINDS)[number];

/** In a question: reject below min, cap at max. In an answer: guaranteed, and the limit. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

export type Ranges = Readonly<Partial<Record<Kind, Range>>>;

/** The resources that a question asks for. */
export interface AskedResources {
  readonly ranges: Ranges;
  /** Whether it writes durations as `5m`, so that the answer does too. */
  readonly shortDurations: boolean;
  readonly warnings: readonly Warning[];
}

const FORMS: Readonly<Record<Kind, string>> = {
  cores: 'a number of cores such as 2 or 0.5',
  memory: 'a size such as 8G or 512M',
  store: 'a size such as 8G or 512M',
  startup: 'a duration such as 60s, 5m or PT5M',
  duration: 'a duration such as 60s, 5m or PT5M',
  gpus: 'a whole number of graphics processors',
};

/**
 * Reads `resources`. A bare size counts gigabytes (the note's own comment), a bare duration seconds. Throws BadParameter for a
 * value that is none, and for a min above its max.
 */
export function parseResources(branch: Branch): AskedResources {
  const ranges: Partial<Record<Kind, Range>> = {};
  const warnings: Warning[] = [];
  let shortDurations = false;
  for (const [name, value] of Object.entries(branch)) {
    const match = /^(min|max)(cores|memory|store|startup|duration|gpus)$/i.exec(name);
    const kind = KINDS.find((each) => each === match?.[2]?.toLowerCase());
    if (kind === undefined) {
      warnings.push({ code: 'resources.unknown', path: `resources.${name.slice(0, 100)}`, text: 'this resource is not known here and was not looked at' });
      continue;
    }
    const bound = match?.[1]?.toLowerCase() === 'min' ? 'min' : 'max';
    ranges[kind] = { ...ranges[kind], [bound]: amount(kind, value, `resources.${bound}${kind}`) };
    if ((kind === 'startup' || kind === 'duration') && typeof value === 'string' && !/^\s*P/.test(value)) shortDurations = true;
  }
  for (const kind of KINDS) refuseEmptyRange(kind, ranges[kind]);
  return { ranges, shortDurations, warnings };
}

function amount(kind: Kind, value: Value, path: string): number {
  const parse = { cores: parseCores, memory: bareGigabytes, store: bareGigabytes, startup: parseDuration, duration: parseDuration, gpus: parseCount }[kind];
  const number = typeof value === 'string' ? parse(value) : undefined;
  if (number !== undefined) return number;
  throw new GatewayError('BadParameter', `${path} must be ${FORMS[kind]}`, { path });
}

function bareGigabytes(text: string): number | undefined {
  return parseSize(text, 'G');
}

function refuseEmptyRange(kind: Kind, range: Range | undefined): void {
  if (range?.min === undefined || range.max === undefined || range.min <= range.max) return;
  throw new GatewayError('BadParameter', `resources.min${kind} is more than resources.max${kind}`, { path: `resources.min${kind}` });
}

/** An amount as the note spells it: `8G`, `1536M`, cores as a number, durations in ISO 8601 or short. */
export function formatAmount(kind: Kind, amount: number, shortDurations: boolean): string | number {
  if (kind === 'cores' || kind === 'gpus') return amount;
  if (kind === 'memory' || kind === 'store') return formatSize(amount);
  return shortDurations ? formatShort(amount) : formatDuration(amount);
}

/** Seconds with the largest suffix that says them exactly: `10m`, `90s`. */
function formatShort(seconds: number): string {
  for (const [suffix, factor] of [['d', 86400], ['h', 3600], ['m', 60]] as const) {
    if (seconds >= factor && seconds % factor === 0) return `${String(seconds / factor)}${suffix}`;
  }
  return `${String(seconds)}s`;
}
