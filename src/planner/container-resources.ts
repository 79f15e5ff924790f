import type { OfferedResources } from '../task/task.ts';
import type { NoReason } from './offer.ts';
import type { Warning } from './question.ts';
import { formatAmount, type Kind, type Range, type Ranges } from './resources.ts';

/** What a job gets that asks for nothing, and the most it can get. */
export interface Bounded {
  readonly default: number;
  readonly max: number;
}

/** What this site gives one job. */
export interface SiteResources {
  readonly cores: Bounded;
  /** Bytes. */
  readonly memory: Bounded;
  /** Seconds; a max of 0 = without limit. */
  readonly executionDuration: Bounded;
  /** Bytes of results that are kept of one job, where the site promises any. */
  readonly store?: number;
  /** Graphics processors that one container gets at most; absent = none. */
  readonly gpus?: number;
}

/** A site that says nothing of itself: the policy alone decides. A default of 0 = not known. */
export const UNKNOWN_SITE: SiteResources = {
  cores: { default: 0, max: Infinity },
  memory: { default: 0, max: Infinity },
  executionDuration: { default: 0, max: 0 },
};

/** The most that can be asked for of each kind. */
export function offeredRanges(site: SiteResources, offered: OfferedResources | undefined): Ranges {
  const { max } = site.executionDuration;
  const gpus = Math.min(site.gpus ?? 0, offered === undefined ? Infinity : (offered.gpus ?? 0));
  const [cores, memory] = [Math.min(site.cores.max, offered?.cores ?? Infinity), Math.min(site.memory.max, offered?.memory ?? Infinity)];
  return {
    ...(Number.isFinite(cores) ? { cores: { max: cores } } : {}),
    ...(Number.isFinite(memory) ? { memory: { max: memory } } : {}),
    ...(site.store === undefined ? {} : { store: { max: site.store } }),
    ...(max === 0 ? {} : { duration: { max } }),
    ...(gpus === 0 ? {} : { gpus: { max: gpus } }),
  };
}

/** Where the least that the task needs is more than there ever is (note §5: then the answer is no). */
export function shortfalls(asked: Ranges, offered: Ranges): readonly NoReason[] {
  return (['cores', 'memory', 'store', 'duration', 'gpus'] as const).flatMap((kind) => {
    const min = asked[kind]?.min;
    const most = offered[kind]?.max;
    if (min === undefined || min <= (most ?? (kind === 'store' || kind === 'gpus' ? 0 : Infinity))) return [];
    return [shortfall(kind, min, most)];
  });
}

function shortfall(kind: Kind, min: number, most: number | undefined): NoReason {
  const said = (amount: number): string => String(formatAmount(kind, amount, true));
  const text =
    most === undefined
      ? `this site promises no ${kind} at all; ask without min${kind}`
      : `at least ${said(min)} of ${kind} is asked for, and there is at most ${said(most)}; ask for min${kind} ${said(most)} or less`;
  return { httpcode: 422, code: `resources.${kind}`, path: `resources.min${kind}`, text };
}

/** What a task is to ask for: as much as it can use and there is, or the least it needs where that is more than everybody gets. */
export function wanted(range: Range | undefined, bounded: Bounded, most: number): number | undefined {
  if (range?.max !== undefined) return Math.min(range.max, most);
  if (range?.min !== undefined) return Math.max(range.min, Math.min(bounded.default, most));
  return undefined;
}

/** The executionDuration (seconds, 0 = without limit) that a job of this question is to be given. */
export function grantedDuration(range: Range | undefined, { default: initial, max }: Bounded): number {
  const most = max === 0 ? Infinity : max;
  const granted = wanted(range, { default: initial === 0 ? most : initial, max: most }, most) ?? initial;
  return Number.isFinite(granted) ? granted : 0;
}

/** What the task really gets: the limits are set on its container, and it is promised as much. */
export function grantedRanges({ cores, memory, gpus = 0 }: OfferedResources, duration: number, site: SiteResources): Ranges {
  return {
    ...(cores === 0 ? {} : { cores: { min: cores, max: cores } }),
    ...(memory === 0 ? {} : { memory: { min: memory, max: memory } }),
    ...(site.store === undefined ? {} : { store: { max: site.store } }),
    ...(duration === 0 ? {} : { duration: { min: duration, max: duration } }),
    ...(gpus === 0 ? {} : { gpus: { min: gpus, max: gpus } }),
  };
}

/** What is asked for and cannot be done as it is meant, but is no reason for a no. */
export function resourceWarnings(asked: Ranges): readonly Warning[] {
  return [
    ...(asked.store?.max === undefined ? [] : [{ code: 'resources.store', path: 'resources.maxstore', text: 'the limit on what is stored is the same for all jobs of this site' }]),
    ...(asked.startup?.min ? [{ code: 'resources.startup', path: 'resources.minstartup', text: 'a job starts as soon as it can; send PHASE=RUN when it may start' }] : []),
  ];
}
