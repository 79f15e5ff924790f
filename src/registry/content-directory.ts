import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';

/** Bytes and their type, as kept. */
export interface StoredContent {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface Entry {
  readonly file: string;
  readonly size: number;
  readonly usedAt: number;
}

/** After a clean-up the folder is this full, so that not every write begins another one. */
const CLEANED_TO = 0.8;
/** Larger than any document that is kept (bytes). */
const MAX_FILE = 8 * 2 ** 20;

/**
 * Documents in a folder, each in a file named after its key's hash, the least recently used ones removed when the folder is
 * full. A cache: every failure is logged and means "not there". Who reads verifies: files may have been changed.
 */
export class ContentDirectory {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Bytes in the folder, as far as known; undefined until it was looked at. */
  #size: number | undefined;
  #cleaning: Promise<void> | undefined;

  constructor(directory: string, maxBytes: number, clock: Clock, logger: Logger) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#logger = logger;
  }

  async get(key: string): Promise<StoredContent | undefined> {
    const file = this.#file(key);
    try {
      const bytes = await readCapped(file);
      const now = new Date(this.#clock.now());
      await utimes(file, now, now);
      const end = bytes.indexOf('\n');
      return end === -1 ? undefined : { mediaType: bytes.toString('latin1', 0, end), bytes: bytes.subarray(end + 1) };
    } catch (error) {
      if (!isMissing(error)) this.#logger.warn({ err: error }, 'a cached document cannot be read');
      return undefined;
    }
  }

  /** Written aside and moved into place, so that nobody reads half a document. */
  async put(key: string, content: StoredContent): Promise<void> {
    const file = this.#file(key);
    const aside = `${file}.${randomBytes(6).toString('hex')}.new`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const handle = await open(aside, 'wx', 0o600);
      try {
        await handle.writeFile(Buffer.concat([Buffer.from(`${content.mediaType}\n`, 'latin1'), content.bytes]));
        const now = new Date(this.#clock.now());
        await handle.utimes(now, now);
      } finally {
        await handle.close();
      }
      await rename(aside, file);
      await this.#grow(content.bytes.length + content.mediaType.length + 1);
    } catch (error) {
      this.#logger.warn({ err: error }, 'a document cannot be cached');
      await rm(aside, { force: true }).catch(() => undefined);
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#file(key), { force: true }).catch(() => undefined);
  }

  #file(key: string): string {
    return join(this.#directory, createHash('sha256').update(key).digest('hex'));
  }

  async #grow(bytes: number): Promise<void> {
    if (this.#size !== undefined) this.#size += bytes;
    if (this.#size !== undefined && this.#size <= this.#maxBytes) return;
    this.#cleaning ??= this.#clean().finally(() => (this.#cleaning = undefined));
    await this.#cleaning;
  }

  async #clean(): Promise<void> {
    const entries = (await this.#entries()).sort((a, b) => a.usedAt - b.usedAt);
    let size = entries.reduce((sum, entry) => sum + entry.size, 0);
    if (size > this.#maxBytes) {
      for (const entry of entries) {
        if (size <= this.#maxBytes * CLEANED_TO) break;
        await rm(entry.file, { force: true });
        size -= entry.size;
      }
    }
    this.#size = size;
  }

  async #entries(): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (const name of await readdir(this.#directory)) {
      // Whatever else is in the folder is not ours to remove.
      if (!/^[0-9a-f]{64}(?:\.[0-9a-f]{12}\.new)?$/.test(name)) continue;
      const file = join(this.#directory, name);
      const found = await stat(file).catch(() => undefined);
      if (found !== undefined) entries.push({ file, size: found.size, usedAt: found.mtimeMs });
    }
    return entries;
  }
}

async function readCapped(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > MAX_FILE) throw new Error('the file is larger than any document that was put there');
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
