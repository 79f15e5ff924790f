import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { Job } from '../job/job.ts';
import type { UsageStore } from '../store/usage-store.ts';
import { read, type Usage } from '../task/usage.ts';

export interface UsageWatchParts {
  readonly engine: Pick<Engine, 'usage'>;
  readonly usage: UsageStore;
  readonly clock: Clock;
}

/** After the start (milliseconds): what most jobs outlive, so that the bulk of short ones costs nothing. */
const FIRST = 500;

/** Between two measurements (milliseconds): a tenth of what the job has run, so that it is that part at most that is missed. */
const SHORTEST = 1_000;
const LONGEST = 15_000;
const PART = 0.1;

/** A measurement may take this part of the time at most. */
const SHARE = 0.2;

/** How long an engine may take for one (milliseconds). */
const PATIENCE = 5_000;

/**
 * Measures, while jobs run, what they use: an engine forgets it with the end of the container, so what counts is what was read last.
 * Never fails: who could not be measured is measured the next time.
 */
export class UsageWatch {
  readonly #parts: UsageWatchParts;
  /** When jobs were measured last, by the clock that never steps. */
  readonly #measured = new LRUCache<string, number>({ max: 10_000 });

  constructor(parts: UsageWatchParts) {
    this.#parts = parts;
  }

  /** Measures the job again and again until the signal aborts. */
  async follow({ id, startTime }: Pick<Job, 'id' | 'startTime'>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const before = Math.max(0, clock.now() - (startTime ?? clock.now()));
    const from = clock.monotonic() - before;
    for (let pause = FIRST; ; ) {
      await clock.sleep(pause, signal);
      if (signal.aborted) return;
      const began = clock.monotonic();
      await this.measure(id, signal);
      pause = Math.max(SHORTEST, Math.min(LONGEST, (began - from) * PART), (clock.monotonic() - began) / SHARE);
    }
  }

  /** Measures the job now, unless that was done within the last second. */
  async measure(id: string, signal: AbortSignal): Promise<void> {
    const { clock, engine, usage } = this.#parts;
    if (clock.monotonic() - (this.#measured.get(id) ?? -Infinity) < SHORTEST) return;
    try {
      const readings = await engine.usage(id, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
      if (readings.size === 0) return;
      this.#measured.set(id, clock.monotonic());
      await usage.keep(id, read(await usage.meters(id), readings), clock.now());
    } catch {
      // engine or store are away: nothing rests on a measurement, and the next one has it all
    }
  }

  /** What the job has used so far; undefined where nobody knows. */
  used(id: string): Promise<Usage | undefined> {
    return this.#parts.usage.used(id).catch(() => undefined);
  }
}
