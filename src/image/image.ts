import type { Instant } from '../clock.ts';
import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';
import type { Reference } from './reference.ts';

/** How an image has its healthcheck run; milliseconds, and failures in a row. What is absent it leaves to the engine. */
export interface HealthTimes {
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly retries?: number;
}

/** The part of an image's configuration that a container takes over or a rule may look at (image-spec, config.md). */
export interface ImageConfig {
  readonly user: string;
  /** `NAME=value`, in the image's order. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  /** The healthcheck's Test words; empty where there is none. */
  readonly healthcheck: readonly string[];
  /** Absent = it says none of them. */
  readonly healthTimes?: HealthTimes;
}

/**
 * One image for one platform, read from its registry and verified: every digest here was computed over the raw bytes.
 * Immutable; plain data, so that it can be stored with a job and compared with what the engine says later.
 */
export interface Image {
  /** As asked for, normalised (tag and digest as given). */
  readonly reference: Reference;
  /** The index that led to the manifest; absent where the reference named the manifest itself. */
  readonly indexDigest?: Digest;
  /** The platform manifest: what was judged and what is pulled. */
  readonly manifestDigest: Digest;
  readonly configDigest: Digest;
  readonly platform: Platform;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[];
  readonly config: ImageConfig;
  /** Sum of the compressed layers' sizes (bytes). */
  readonly size: number;
  /** The configuration's own `created`, where it has one. A claim of the image, not a fact. */
  readonly created?: Instant;
}

/** The name under which an engine has exactly this image: registry/path@sha256:… */
export function pinnedName({ reference, manifestDigest }: Pick<Image, 'reference' | 'manifestDigest'>): string {
  return `${reference.domain}/${reference.path}@${manifestDigest}`;
}
