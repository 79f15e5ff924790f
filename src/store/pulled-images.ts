import type { Instant } from '../clock.ts';

/** An image that this gateway has had pulled. */
export interface PulledImage {
  /** registry/path@sha256:… */
  readonly name: string;
  /** When a job last used it. */
  readonly used: Instant;
}

/** What the gateway has brought to its engine; an image that somebody else brought is not here. Every method throws Unavailable where the store is. */
export interface PulledImages {
  /** Before it is pulled, so that nothing is brought that is not known. */
  pulling(name: string, at: Instant): Promise<void>;
  /** A job uses it; nothing happens where it is not here. */
  used(name: string, at: Instant): Promise<void>;
  /** Least recently used first. */
  all(): Promise<readonly PulledImage[]>;
  /** Of these names those whose digest a job that is not over refers to, in whatever part of it. */
  needed(names: readonly string[]): Promise<ReadonlySet<string>>;
  forget(name: string): Promise<void>;
}
