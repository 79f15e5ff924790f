import { LRUCache } from 'lru-cache';
import type { Clock, Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';

const MAX_ENTRIES = 50_000;
/** How long a tag's word counts after it was moved (milliseconds): a job may wait that long between its creation and its RUN. */
const LIFETIME = 24 * 3600 * 1000;

/**
 * Which digests tags were seen to name a short while ago. A job is judged by tag when it is created and by tag and digest when
 * it runs; if the tag was moved in between, this is the proof that it did name the digest.
 */
export class TagsSeen {
  readonly #clock: Clock;
  readonly #seen = new LRUCache<string, Instant>({ max: MAX_ENTRIES });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes what a reference without digest has just named. */
  remember({ reference, indexDigest, manifestDigest }: Image): void {
    if (reference.tag === undefined || reference.digest !== undefined) return;
    for (const digest of [indexDigest, manifestDigest]) if (digest !== undefined) this.#seen.set(entry(reference, digest), this.#clock.now());
  }

  /** Whether the reference's tag was seen to name its digest. */
  has(reference: Reference): boolean {
    if (reference.digest === undefined) return false;
    const at = this.#seen.get(entry(reference, reference.digest));
    return at !== undefined && this.#clock.now() - at <= LIFETIME;
  }
}

function entry({ domain, path, tag }: Reference, digest: Digest): string {
  return `${domain}/${path}:${tag ?? ''}@${digest}`;
}
