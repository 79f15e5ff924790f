/** An instant: milliseconds since 1970-01-01T00:00:00Z. The only representation of time inside the program. */
export type Instant = number;

/** Time as an argument: nothing else in the program reads a clock or sets a timer, so tests can advance it by hand. */
export interface Clock {
  /** The present instant (milliseconds, wall clock). */
  now(): Instant;
  /**
   * Milliseconds since an instant of this process's own choice. Never set by anybody: the wall clock steps, durations must
   * not.
   */
  monotonic(): number;
  /**
   * Resolves after `milliseconds` (any length: also beyond the 24.8 days that one timer can hold), or as soon as
   * `signal` aborts; it never rejects. A pending sleep does not keep the process alive.
   */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once above this many milliseconds, so longer sleeps are cut into pieces. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The real clock. */
export class SystemClock implements Clock {
  now(): Instant {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    let left = milliseconds;
    while (left > 0 && !signal?.aborted) {
      const piece = Math.min(left, LONGEST_TIMER);
      await timer(piece, signal);
      left -= piece;
    }
  }
}

function timer(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(handle);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const handle = setTimeout(done, milliseconds);
    handle.unref();
    signal?.addEventListener('abort', done, { once: true });
  });
}
