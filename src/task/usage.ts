import type { Instant } from '../clock.ts';

/** What one container has used since it was started, as the engine tells it. What it does not tell is absent. */
export interface ContainerUse {
  readonly cpuSeconds: number;
  /** The most memory at one time (bytes), page cache included, as the limit counts it. */
  readonly peakMemory: number;
  /** From and to disks (bytes). */
  readonly readBytes?: number;
  readonly writtenBytes?: number;
  /** From and to networks (bytes). */
  readonly receivedBytes?: number;
  readonly sentBytes?: number;
}

/** What a job has used, as far as it was measured. */
export interface Usage extends ContainerUse {
  /** When it was measured last: what was used later is in no number. */
  readonly measuredAt: Instant;
}

/** Containers of a job, by a name that stays with each: what was read last of it, and what it had used before it was started again. */
export type Meters = Readonly<Record<string, { readonly last: ContainerUse; readonly before: ContainerUse }>>;

const NOTHING: ContainerUse = { cpuSeconds: 0, peakMemory: 0 };

/** Counters, which start again with each start of a container; the peak does not add up over them. */
const COUNTERS = ['cpuSeconds', 'readBytes', 'writtenBytes', 'receivedBytes', 'sentBytes'] as const;

/** The meters after one more reading. A container that is not read now keeps what it had; one that was started again adds to it. */
export function read(meters: Meters, readings: ReadonlyMap<string, ContainerUse>): Meters {
  const news = [...readings].map(([name, now]) => {
    const { last, before } = meters[name] ?? { last: NOTHING, before: NOTHING };
    const restarted = now.cpuSeconds < last.cpuSeconds;
    const peakMemory = Math.max(now.peakMemory, last.peakMemory);
    return [name, { last: { ...last, ...now, peakMemory }, before: restarted ? sum([before, { ...last, peakMemory: 0 }]) : before }] as const;
  });
  return { ...meters, ...Object.fromEntries(news) };
}

/** What all containers together have used. Of several, the peaks are added: what would have had to be there for all of them. */
export function totalOf(meters: Meters): ContainerUse {
  return sum(Object.values(meters).flatMap(({ last, before }) => [last, before]));
}

function sum(uses: readonly ContainerUse[]): ContainerUse {
  const told = COUNTERS.filter((name) => uses.some((use) => use[name] !== undefined));
  const counted = told.map((name) => [name, uses.reduce((total, use) => total + (use[name] ?? 0), 0)] as const);
  return { ...NOTHING, ...Object.fromEntries(counted), peakMemory: uses.reduce((total, { peakMemory }) => total + peakMemory, 0) };
}
