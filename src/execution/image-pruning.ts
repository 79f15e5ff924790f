import type { Clock, Instant } from '../clock.ts';
import { type Engine, EngineRefused } from '../engine/engine.ts';
import { isTemporary } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { PulledImage, PulledImages } from '../store/pulled-images.ts';
import type { ImagePulls } from './image-pulls.ts';

/** What pulled images may have of the engine's disk. */
export interface ImageBudget {
  /** Seconds for which an image stays that nobody uses. */
  readonly unused: number;
  /** Bytes of all of them together; absent = whatever fits. */
  readonly bytes?: number | undefined;
}

export interface ImagePruningParts {
  readonly engine: Pick<Engine, 'imageSizes' | 'removeImage'>;
  readonly images: PulledImages;
  readonly pulls: ImagePulls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: ImageBudget;
}

/** Between two sweeps (milliseconds). */
const PAUSE = 10 * 60_000;

/** How long a yes holds its image on the engine (milliseconds): who has it is about to submit. */
const FRESH = 60 * 60_000;

/**
 * Removes images that this gateway has had pulled and that no job has used for long, or, the least recently used first, until they keep
 * to their budget. Never one that a job needs which is not over, or that was asked about with a yes in the last hour, and never with
 * force: the engine keeps what a container uses.
 */
export class ImagePruning {
  readonly #parts: ImagePruningParts;
  readonly #shutdown = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: ImagePruningParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop = this.#sweeping();
  }

  async stop(): Promise<void> {
    this.#shutdown.abort();
    await this.#loop;
  }

  async #sweeping(): Promise<void> {
    const { clock, logger } = this.#parts;
    const { signal } = this.#shutdown;
    // what was said yes to before this process began is known to nobody: it is believed of everything for as long as of one
    for (let pause = FRESH; ; pause = PAUSE) {
      await clock.sleep(pause, signal);
      if (signal.aborted) return;
      await this.sweep(signal).catch((error: unknown) => {
        if (!signal.aborted) logger[isTemporary(error) ? 'info' : 'error']({ err: error }, 'unused images could not be removed; tried again later');
      });
    }
  }

  /** One look at all of them. Throws EngineUnavailable, Unavailable, and EngineRefused where that was said of one, after all others. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, engine, images, logger, pulls } = this.#parts;
    const now = clock.now();
    const known = await images.all();
    if (known.length === 0) return;
    const sizes = await engine.imageSizes(signal);
    const needed = await images.needed(known.map(({ name }) => name));
    for (const { name } of known) if (needed.has(name)) await images.used(name, now);
    const held = (name: string): boolean => needed.has(name) || pulls.holds(name) || (pulls.wanted(name) ?? -Infinity) > clock.monotonic() - FRESH;
    let refused: EngineRefused | undefined;
    for (const { name } of this.#surplus(known, sizes, held, now)) {
      // what came meanwhile
      if (held(name) || (await images.needed([name])).has(name)) continue;
      try {
        if (!(await engine.removeImage(name, signal))) continue;
      } catch (error) {
        if (!(error instanceof EngineRefused)) throw error;
        refused ??= error;
        continue;
      }
      await images.forget(name);
      logger.info({ image: name, bytes: sizes.get(name) }, 'an image that nobody uses was removed');
    }
    if (refused !== undefined) throw refused;
  }

  /** Those that are to go, of those that may; and those that are gone already. */
  #surplus(known: readonly PulledImage[], sizes: ReadonlyMap<string, number>, held: (name: string) => boolean, now: Instant): readonly PulledImage[] {
    const { bytes = Infinity, unused } = this.#parts.budget;
    let sum = known.reduce((all, { name }) => all + (sizes.get(name) ?? 0), 0);
    return known.filter(({ name, used }) => {
      if (held(name) || (now - used < unused * 1000 && sum <= bytes && sizes.has(name))) return false;
      sum -= sizes.get(name) ?? 0;
      return true;
    });
  }
}
