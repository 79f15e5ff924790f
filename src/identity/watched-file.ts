import { readFile, stat } from 'node:fs/promises';
import type { Clock, Instant } from '../clock.ts';
import type { Logger } from '../logger.ts';

/** Between two looks whether a file has changed (milliseconds). */
const LOOK = 1_000;

/** Largest file that is read (bytes): a hundred thousand users. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * A file of the operator's, read again when it has changed, within a second of the next use. While it cannot be read it counts as
 * empty, so that a file that was taken away lets nobody in.
 */
export class WatchedFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #content: T;
  readonly #empty: T;
  #mark = '';
  #looked: Instant = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(path: string, parse: (text: string) => T, empty: T, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#parse = parse;
    this.#clock = clock;
    this.#logger = logger;
    this.#content = empty;
    this.#empty = empty;
  }

  /** What it says now. Never throws. */
  async read(): Promise<T> {
    if (Math.abs(this.#clock.now() - this.#looked) >= LOOK) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      await this.#looking;
    }
    return this.#content;
  }

  async #look(): Promise<void> {
    this.#looked = this.#clock.now();
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const mark = `${String(mtimeMs)} ${String(size)} ${String(ino)}`;
      if (mark === this.#mark) return;
      if (size > MAX_BYTES) throw new Error(`is larger than ${String(MAX_BYTES)} bytes`);
      this.#content = this.#parse(await readFile(this.#path, 'utf8'));
      this.#mark = mark;
      this.#logger.info({ file: this.#path }, 'read');
    } catch (error) {
      if (this.#mark !== 'unreadable') this.#logger.error({ err: error, file: this.#path }, 'cannot be read; it counts as empty');
      this.#mark = 'unreadable';
      this.#content = this.#empty;
    }
  }
}
