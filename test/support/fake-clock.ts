import type { Clock, Instant } from '../../src/clock.ts';

interface Sleeper {
  until: Instant;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: Instant;
  #passed = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  constructor(now: Instant = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): Instant {
    return this.#now;
  }

  monotonic(): number {
    return this.#passed;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (milliseconds <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { until: this.#now + milliseconds, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Moves time on (or, with a negative number, back) and wakes who has slept long enough. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    this.#passed += Math.max(milliseconds, 0);
    for (const { until, wake } of [...this.#sleepers]) if (until <= this.#now) wake();
  }

  /** Sets the wall clock, as an operator or NTP does: no time passes, and nobody sleeps longer or shorter. */
  step(milliseconds: number): void {
    this.#now += milliseconds;
    for (const sleeper of this.#sleepers) sleeper.until += milliseconds;
  }

  /** Resolves when somebody sleeps until exactly this instant: then advancing to it has an effect. */
  async whenSleepingUntil(instant: Instant): Promise<void> {
    const there = (): boolean => [...this.#sleepers].some(({ until }) => until === instant);
    if (there()) return;
    await new Promise<void>((resolve) => {
      const watcher = (): void => {
        if (!there()) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
    });
  }
}
