import { LRUCache } from 'lru-cache';
import type { Clock, Instant } from '../clock.ts';

/** Scopes that are remembered, and images of each: more than any limit that makes sense. */
const SCOPES = 10_000;

const DAY = 24 * 3_600_000;

/** Which images were run within a day, as far as this process has seen it. */
export class ImagesADay {
  readonly #clock: Clock;
  readonly #seen = new LRUCache<string, Map<string, Instant>>({ max: SCOPES });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 where one more run of these images, each named once, stays within the limit; else the seconds until it would. Counts nothing. */
  wait(key: string, wanted: readonly string[], limit: number): number {
    const images = this.#recent(key);
    const more = wanted.filter((image) => !images.has(image)).length;
    const over = images.size + more - limit;
    if (more === 0 || over <= 0) return 0;
    // those that are run again now stay
    const leaving = [...images].filter(([image]) => !wanted.includes(image)).map(([, at]) => at).sort((a, b) => a - b);
    const last = leaving[over - 1];
    return last === undefined ? DAY / 1000 : Math.max(1, Math.ceil((last + DAY - this.#clock.now()) / 1000));
  }

  /** Counts a run; an image that is run again is as new as its last run. */
  count(key: string, image: string): void {
    const images = this.#recent(key);
    images.delete(image);
    images.set(image, this.#clock.now());
    this.#seen.set(key, images);
  }

  #recent(key: string): Map<string, Instant> {
    const images = this.#seen.get(key) ?? new Map<string, Instant>();
    for (const [image, at] of images) if (at <= this.#clock.now() - DAY) images.delete(image);
    return images;
  }
}
