import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { type Engine, EngineRefused, type PullProgress } from '../engine/engine.ts';
import type { Digest } from '../image/digest.ts';
import { type Image, pinnedName } from '../image/image.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { PulledImages } from '../store/pulled-images.ts';

export interface ImagePullsParts {
  readonly engine: Pick<Engine, 'hasImage' | 'ensureImage'>;
  readonly images: PulledImages;
  readonly clock: Clock;
  /** Pulls that run at once; others wait for their turn. */
  readonly atOnce: number;
  /** Seconds that one may take. */
  readonly timeout: number;
}

/** Pulls whose speed is remembered. */
const SPEEDS = 10;

/** Names of images of which it is known when a question about them was answered with yes. */
const WANTED = 1000;

/** Between two notes that an image is used (milliseconds). */
const USE_NOTED = 60_000;

/** Told to whoever waits for a pull: how far it is, or that it has not begun. */
export type PullListener = (news: PullProgress | 'waiting') => void;

/** One pull, for everybody who wants the same bytes from the same place by the same right. */
interface Flight {
  readonly name: string;
  readonly digest: Digest;
  /** Whose: absent = the site's. */
  readonly login: RegistryLogin | undefined;
  readonly listeners: Set<PullListener>;
  readonly controller: AbortController;
  done: Promise<void>;
  /** What was told last; undefined before there was anything to tell. */
  last: PullProgress | 'waiting' | undefined;
}

/** Makes images present: one pull of each at a time, few at once, none for ever. What is present already waits for nobody. */
export class ImagePulls {
  readonly #parts: ImagePullsParts;
  readonly #flights = new Set<Flight>();
  #turns: (() => void)[] = [];
  #running = 0;
  /** Bytes a second of the last pulls that were worth measuring. */
  #speeds: readonly number[] = [];
  /** When somebody was told yes of an image, on the clock that never steps; in memory, for a question leaves no trace. */
  readonly #wanted = new LRUCache<string, number>({ max: WANTED });
  readonly #noted = new LRUCache<string, number>({ max: WANTED });

  constructor(parts: ImagePullsParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the engine has the judged image. The pull ends when nobody waits for it any more. `login`: who pulls it; absent = the
   * site. Throws EngineUnavailable, EngineRefused (temporary, where it took too long) and the signal's reason.
   */
  async ensure(image: Image, tell: PullListener, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
    if (await this.#parts.engine.hasImage(image, signal)) return this.#noteUse(image);
    signal.throwIfAborted();
    const flight = [...this.#flights].find((each) => each.name === pinnedName(image) && each.login === login) ?? this.#begin(image, login);
    flight.listeners.add(tell);
    if (flight.last !== undefined) tell(flight.last);
    try {
      await unlessAborted(flight.done, signal);
    } finally {
      flight.listeners.delete(tell);
      if (flight.listeners.size === 0) this.#end(flight, new EngineRefused('nobody waits for the image any more', { temporary: true }));
    }
  }

  /** Somebody is told yes of it, and will come back. */
  want(image: Image): void {
    this.#wanted.set(pinnedName(image), this.#parts.clock.monotonic());
  }

  /** Whether the engine has the judged image, of which somebody is told yes. Throws as `ensure`. */
  isPresent(image: Image): Promise<boolean> {
    this.want(image);
    return this.#parts.engine.hasImage(image, new AbortController().signal);
  }

  /** When somebody was last told yes of this image (the monotonic clock's milliseconds), as far as it is remembered. */
  wanted(name: string): number | undefined {
    return this.#wanted.get(name);
  }

  /** Whether it is being pulled, or about to be. */
  holds(name: string): boolean {
    return [...this.#flights].some(({ digest }) => name.endsWith(`@${digest}`));
  }

  async #noteUse(image: Image): Promise<void> {
    const name = pinnedName(image);
    const { clock, images } = this.#parts;
    if (clock.monotonic() - (this.#noted.get(name) ?? -Infinity) < USE_NOTED) return;
    this.#noted.set(name, clock.monotonic());
    await images.used(name, clock.now());
  }

  /**
   * Seconds that a pull of so many compressed bytes would take, if it began now, by what the last pulls took and how many are before it.
   * Undefined where none has been seen.
   */
  estimate(bytes: number): { readonly min: number; readonly max: number } | undefined {
    if (this.#speeds.length === 0) return undefined;
    const before = 1 + Math.floor(this.#flights.size / this.#parts.atOnce);
    return { min: Math.floor(bytes / Math.max(...this.#speeds)), max: Math.ceil((before * bytes) / Math.min(...this.#speeds)) };
  }

  #begin(image: Image, login: RegistryLogin | undefined): Flight {
    const flight: Flight = { name: pinnedName(image), digest: image.manifestDigest, login, listeners: new Set(), controller: new AbortController(), done: Promise.resolve(), last: undefined };
    this.#flights.add(flight);
    flight.done = this.#pull(image, flight).finally(() => this.#flights.delete(flight));
    // who has left is not told how it ended
    flight.done.catch(() => undefined);
    return flight;
  }

  async #pull(image: Image, flight: Flight): Promise<void> {
    const { clock, engine, images, timeout } = this.#parts;
    const { signal } = flight.controller;
    await this.#turn(flight);
    const over = new AbortController();
    void clock.sleep(timeout * 1000, AbortSignal.any([over.signal, signal])).then(() => {
      if (over.signal.aborted || signal.aborted) return;
      this.#end(flight, new EngineRefused(`the engine could not pull the image within ${String(timeout)} s`, { temporary: true }));
    });
    try {
      signal.throwIfAborted();
      await images.pulling(pinnedName(image), clock.now());
      const begun = clock.monotonic();
      await engine.ensureImage(image, (progress) => this.#tell(flight, progress), signal, flight.login);
      this.#measured(image.size, clock.monotonic() - begun);
    } finally {
      over.abort();
      this.#running -= 1;
      this.#turns.shift()?.();
    }
  }

  #measured(bytes: number, milliseconds: number): void {
    this.#speeds = [...this.#speeds.slice(1 - SPEEDS), bytes / (Math.max(1, milliseconds) / 1000)];
  }

  /** Resolves when one more pull may run, which is counted then; also when it is given up, to be counted out again. */
  async #turn(flight: Flight): Promise<void> {
    const { signal } = flight.controller;
    while (this.#running >= this.#parts.atOnce && !signal.aborted) {
      this.#tell(flight, 'waiting');
      let mine: (() => void) | undefined;
      await new Promise<void>((resolve) => {
        mine = resolve;
        this.#turns.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      // a turn that nobody takes any more must not be given to it
      this.#turns = this.#turns.filter((turn) => turn !== mine);
    }
    this.#running += 1;
  }

  #tell(flight: Flight, progress: PullProgress | 'waiting'): void {
    flight.last = progress;
    for (const listener of flight.listeners) listener(progress);
  }

  /** Nobody joins a pull that is being given up. */
  #end(flight: Flight, reason: Error): void {
    this.#flights.delete(flight);
    flight.controller.abort(reason);
  }
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: done.signal });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    done.abort();
  }
}
