import type { Instant } from '../clock.ts';
import type { UsageRecord } from '../store/usage-store.ts';

/** By what jobs are put together. */
export const GROUPINGS = ['owner', 'group', 'image', 'job'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** What some jobs have used together. Seconds and bytes. */
export interface UsageRow {
  /** The owner, group, image or job; `(anonymous)`, `(no group)`. */
  readonly name: string;
  readonly jobs: number;
  /** Jobs that were over before anybody could measure; their part is in no number but wall and core seconds. */
  readonly unmeasured: number;
  /** As far as it was measured. */
  readonly cpuSeconds: number;
  /** Cores that were promised, for as long as the jobs ran. */
  readonly coreSeconds: number;
  readonly wallSeconds: number;
  /** Of the job that had most. */
  readonly peakMemory: number;
  readonly resultBytes: number;
  readonly diskReadBytes: number;
  readonly diskWrittenBytes: number;
  readonly networkBytes: number;
}

const NOBODY: UsageRow = {
  name: '', jobs: 0, unmeasured: 0, cpuSeconds: 0, coreSeconds: 0, wallSeconds: 0, peakMemory: 0, resultBytes: 0, diskReadBytes: 0, diskWrittenBytes: 0, networkBytes: 0,
};

/** A period: from `since` up to `until`. */
export interface Period {
  readonly since: Instant;
  readonly until: Instant;
}

/**
 * What was used in a period, most CPU time first, and all of it together. Of a job that ran longer the part counts that its time within
 * the period is of its whole time; its results count where it has ended. A job counts for each group of its owner, and for each of its
 * images, so those rows may be more than the total.
 */
export function usageTable(records: Iterable<UsageRecord>, by: Grouping, period: Period, now: Instant): { readonly rows: readonly UsageRow[]; readonly total: UsageRow } {
  const rows = new Map<string, UsageRow>();
  let total: UsageRow = { ...NOBODY, name: 'total' };
  for (const record of records) {
    const used = within(record, period, now);
    if (used === undefined) continue;
    total = plus(total, used);
    for (const name of namesOf(record, by)) rows.set(name, plus(rows.get(name) ?? { ...NOBODY, name }, used));
  }
  return { rows: [...rows.values()].sort((a, b) => b.cpuSeconds - a.cpuSeconds || b.coreSeconds - a.coreSeconds || (a.name < b.name ? -1 : 1)), total };
}

function within({ startTime, endTime, cores, used, resultBytes }: UsageRecord, { since, until }: Period, now: Instant): UsageRow | undefined {
  const end = Math.max(endTime ?? now, startTime);
  if (startTime >= until || end < since) return undefined;
  const part = Math.max(0, Math.min(end, until) - Math.max(startTime, since));
  // a job of no length is all where it is
  const share = end === startTime ? 1 : part / (end - startTime);
  const of = (count: number | undefined): number => (count ?? 0) * share;
  return {
    name: '',
    jobs: 1,
    unmeasured: used === undefined ? 1 : 0,
    cpuSeconds: of(used?.cpuSeconds),
    coreSeconds: (part * cores) / 1000,
    wallSeconds: part / 1000,
    peakMemory: used?.peakMemory ?? 0,
    resultBytes: endTime !== null && endTime >= since && endTime < until ? resultBytes : 0,
    diskReadBytes: of(used?.readBytes),
    diskWrittenBytes: of(used?.writtenBytes),
    networkBytes: of((used?.receivedBytes ?? 0) + (used?.sentBytes ?? 0)),
  };
}

function plus(a: UsageRow, b: UsageRow): UsageRow {
  return {
    name: a.name,
    jobs: a.jobs + b.jobs,
    unmeasured: a.unmeasured + b.unmeasured,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    coreSeconds: a.coreSeconds + b.coreSeconds,
    wallSeconds: a.wallSeconds + b.wallSeconds,
    peakMemory: Math.max(a.peakMemory, b.peakMemory),
    resultBytes: a.resultBytes + b.resultBytes,
    diskReadBytes: a.diskReadBytes + b.diskReadBytes,
    diskWrittenBytes: a.diskWrittenBytes + b.diskWrittenBytes,
    networkBytes: a.networkBytes + b.networkBytes,
  };
}

function namesOf({ jobId, owner, groups, images }: UsageRecord, by: Grouping): readonly string[] {
  switch (by) {
    case 'owner':
      return [owner ?? '(anonymous)'];
    case 'group':
      return groups.length === 0 ? ['(no group)'] : [...new Set(groups)];
    case 'image':
      return [...new Set(images.map((image) => image.slice(0, image.lastIndexOf('@'))))];
    case 'job':
      return [jobId];
  }
}
