import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import { formatReference, type Reference } from '../image/reference.ts';

/** What an approved base's reference named, and when: a tag that is rebuilt every week leaves a row of them. */
export interface BaseSighting {
  /** The approved base's reference, formatted: names may change in the policy, this is what was approved. */
  readonly reference: string;
  readonly platform: Platform;
  /** What the reference named: an index or a manifest. */
  readonly tagDigest: Digest;
  readonly manifestDigest: Digest;
  readonly configDigest: Digest;
  readonly diffIds: readonly Digest[];
  /** The base's own, to compare with; null where it sets none. */
  readonly path: string | null;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly firstSeen: Instant;
  readonly lastSeen: Instant;
}

/** The sighting of `image` under an approved base's reference. */
export function sightingOf(reference: Reference, image: Image, now: Instant): BaseSighting {
  return {
    reference: formatReference(reference),
    platform: image.platform,
    tagDigest: image.indexDigest ?? image.manifestDigest,
    manifestDigest: image.manifestDigest,
    configDigest: image.configDigest,
    diffIds: image.diffIds,
    path: pathOf(image.config.env),
    entrypoint: image.config.entrypoint,
    command: image.config.command,
    firstSeen: now,
    lastSeen: now,
  };
}

/** The value of PATH in an image's environment; the last one counts, as for the engine. */
export function pathOf(env: readonly string[]): string | null {
  return env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? null;
}

/** Whether two platforms are the same, exactly: approval for one is none for another. */
export function samePlatform(one: Platform, other: Platform): boolean {
  return one.os === other.os && one.architecture === other.architecture && one.variant === other.variant;
}

/** Whether a revocation names this base, by any digest that operators may know it by. */
export function isRevoked(sighting: BaseSighting, revoked: ReadonlySet<Digest>): boolean {
  return [sighting.tagDigest, sighting.manifestDigest, sighting.configDigest].some((digest) => revoked.has(digest));
}
