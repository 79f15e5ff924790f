import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../logger.ts';

export interface DiskWatchParts {
  readonly engine: Pick<Engine, 'diskUse'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes that one job may have on the engine's disk. */
  readonly limit: number;
  /** Seconds between two looks. */
  readonly every: number;
}

/** A look may take this part of the time at most: an engine with much on its disk is not to be busy counting. */
const SHARE = 0.1;

/**
 * Looks, while jobs run, at how much each has on the engine's disk. One look for all of them, and none while nothing runs. What is
 * written between two looks is over the limit before anybody knows: this holds accidents and slow attacks, a quota holds all.
 */
export class DiskWatch {
  readonly #parts: DiskWatchParts;
  readonly #over = new Map<string, () => void>();
  #looking = false;

  constructor(parts: DiskWatchParts) {
    this.#parts = parts;
  }

  get limit(): number {
    return this.#parts.limit;
  }

  /** Resolves when the job has more than the limit; never once the signal has aborted. */
  over(jobId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return;
      this.#over.set(jobId, resolve);
      signal.addEventListener('abort', () => void (this.#over.get(jobId) === resolve && this.#over.delete(jobId)), { once: true });
      if (!this.#looking) void this.#lookOn();
    });
  }

  async #lookOn(): Promise<void> {
    const { clock, every } = this.#parts;
    this.#looking = true;
    for (let pause = every * 1000; this.#over.size > 0; ) {
      await clock.sleep(pause);
      const began = clock.monotonic();
      if (this.#over.size > 0) await this.#look();
      pause = Math.max(every * 1000, (clock.monotonic() - began) / SHARE);
    }
    this.#looking = false;
  }

  async #look(): Promise<void> {
    const { engine, limit, logger } = this.#parts;
    const sizes = await engine.diskUse(new AbortController().signal).catch((error: unknown) => {
      // an engine that is away, or that counts for somebody else already, is asked again
      logger.warn({ err: error }, 'how much jobs have on the disk could not be told; asked again soon');
      return new Map<string, number>();
    });
    for (const [jobId, over] of [...this.#over]) if ((sizes.get(jobId) ?? 0) > limit) over();
  }
}
