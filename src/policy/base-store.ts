import type { BaseSighting } from './base-sighting.ts';

/** Keeps what is known of approved bases over restarts: a digest that a tag had last month cannot be asked for again. */
export interface BaseStore {
  /** Everything that was saved last; nothing yet = empty. Throws when what is there cannot be read. */
  load(): Promise<readonly BaseSighting[]>;
  /** Replaces everything, in one step: after a crash there is the old or the new. */
  save(sightings: readonly BaseSighting[]): Promise<void>;
}

/** Forgets with the process: for tests, and for sites that approve only digests. */
export class MemoryBaseStore implements BaseStore {
  #sightings: readonly BaseSighting[] = [];

  async load(): Promise<readonly BaseSighting[]> {
    return this.#sightings;
  }

  async save(sightings: readonly BaseSighting[]): Promise<void> {
    this.#sightings = sightings;
  }
}
