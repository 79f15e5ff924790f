import type { Clock, Instant } from '../clock.ts';
import type { CpuSpan, UsageStore } from '../store/usage-store.ts';
import type { Scope } from './quota-scope.ts';

const DAY = 24 * 3_600_000;
const HOUR = 3600;

/** CPU time within a day, and how long it takes until that is enough less. */
export interface CpuUsed {
  /** Of the last 24 hours. */
  readonly hours: number;
  /** 0 where it is less than the limit; else the seconds until it will be, if nothing more is used. */
  readonly wait: number;
}

/** How much CPU time was used within a day, by what the store knows: of all processes and times of the gateway. */
export class CpuADay {
  readonly #usage: Pick<UsageStore, 'cpu'>;
  readonly #clock: Clock;

  constructor(usage: Pick<UsageStore, 'cpu'>, clock: Clock) {
    this.#usage = usage;
    this.#clock = clock;
  }

  async used({ owner, holds }: Scope, limitHours: number): Promise<CpuUsed> {
    const now = this.#clock.now();
    const spans = (await this.#usage.cpu(owner, now - DAY, now)).filter(({ groups }) => owner !== undefined || holds({ owner: null, groups }));
    const [used, limit] = [secondsSince(spans, now - DAY), limitHours * HOUR];
    return { hours: used / HOUR, wait: used < limit ? 0 : waitFor(spans, limit, now) };
  }
}

/** What these jobs used after an instant; a job that began earlier has used evenly. */
function secondsSince(spans: readonly CpuSpan[], since: Instant): number {
  return spans.reduce((sum, { from, to, cpuSeconds }) => sum + (from >= since ? cpuSeconds : (cpuSeconds * Math.max(0, to - since)) / Math.max(1, to - from)), 0);
}

/** Seconds until what leaves the window makes it less than the limit: found by halving, as it never grows. */
function waitFor(spans: readonly CpuSpan[], limit: number, now: Instant): number {
  let [early, late] = [0, DAY / 1000];
  while (late - early > 1) {
    const middle = Math.floor((early + late) / 2);
    if (secondsSince(spans, now - DAY + middle * 1000) < limit) late = middle;
    else early = middle;
  }
  return late;
}
