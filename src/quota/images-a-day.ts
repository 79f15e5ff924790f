import { LRUCache } from 'lru-cache';
import type { Clock, Instant } from '../clock.ts';
import type { UsageStore } from '../store/usage-store.ts';
import type { Scope } from './quota-scope.ts';

/** Scopes that are remembered, and images of each: more than any limit that makes sense. */
const SCOPES = 10_000;

const DAY = 24 * 3_600_000;

/** Which images were run within a day: those that were let through here, which may not have started yet, and those that the store knows. */
export class ImagesADay {
  readonly #clock: Clock;
  readonly #usage: Pick<UsageStore, 'images'>;
  readonly #seen = new LRUCache<string, Map<string, Instant>>({ max: SCOPES });

  constructor(usage: Pick<UsageStore, 'images'>, clock: Clock) {
    this.#usage = usage;
    this.#clock = clock;
  }

  /** 0 where one more run of these images, each named once, stays within the limit; else the seconds until it would. Counts nothing. */
  async wait(scope: Scope, wanted: readonly string[], limit: number): Promise<number> {
    const images = await this.#recent(scope);
    const more = wanted.filter((image) => !images.has(image)).length;
    const over = images.size + more - limit;
    if (more === 0 || over <= 0) return 0;
    // those that are run again now stay
    const leaving = [...images].filter(([image]) => !wanted.includes(image)).map(([, at]) => at).sort((a, b) => a - b);
    const last = leaving[over - 1];
    return last === undefined ? DAY / 1000 : Math.max(1, Math.ceil((last + DAY - this.#clock.now()) / 1000));
  }

  /** Counts a run; an image that is run again is as new as its last run. */
  count({ key }: Scope, image: string): void {
    const images = this.#seen.get(key) ?? new Map<string, Instant>();
    for (const [each, at] of images) if (at <= this.#clock.now() - DAY) images.delete(each);
    images.set(image, this.#clock.now());
    this.#seen.set(key, images);
  }

  async #recent({ key, owner, holds }: Scope): Promise<ReadonlyMap<string, Instant>> {
    const since = this.#clock.now() - DAY;
    const stored = (await this.#usage.images(owner, since)).filter(({ groups }) => owner !== undefined || holds({ owner: null, groups }));
    const runs = [...(this.#seen.get(key) ?? []), ...stored.flatMap(({ images, at }) => images.map((image) => [image, at] as const))];
    const recent = new Map<string, Instant>();
    for (const [image, at] of runs) if (at > since) recent.set(image, Math.max(at, recent.get(image) ?? 0));
    return recent;
  }
}
