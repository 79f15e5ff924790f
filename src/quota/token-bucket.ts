import { LRUCache } from 'lru-cache';
import type { Clock, Instant } from '../clock.ts';

/** Buckets that are remembered; who was not seen for longest begins with a full one again. */
const REMEMBERED = 10_000;

const MINUTE = 60_000;

interface Bucket {
  readonly tokens: number;
  readonly at: Instant;
}

/** Something that may be done so many times a minute: all at once after a pause, then evenly. */
export class TokenBuckets {
  readonly #clock: Clock;
  readonly #buckets = new LRUCache<string, Bucket>({ max: REMEMBERED });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 where it may be done now, which then is counted; else the seconds until it may. */
  take(key: string, perMinute: number): number {
    const now = this.#clock.now();
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: perMinute, at: now };
    // a clock that was set back gives nothing and takes nothing
    const filled = Math.min(perMinute, tokens + (Math.max(0, now - at) * perMinute) / MINUTE);
    const left = filled >= 1 ? filled - 1 : filled;
    this.#buckets.set(key, { tokens: left, at: now });
    if (filled >= 1) return 0;
    return perMinute === 0 ? 24 * 3600 : Math.ceil(((1 - filled) * MINUTE) / perMinute / 1000);
  }
}
