import { Readable } from 'node:stream';
import { extract, type Extract, type Header } from 'tar-stream';
import { engineUnavailable } from './docker-errors.ts';
import type { OutputFile, OutputSkipped } from './engine.ts';

type Entry = Extract extends AsyncIterable<infer Each> ? Each : never;

/** The folder's own name stands before every name in the engine's archive of it. */
const PREFIX = 'output/';
const LONGEST_PATH = 1024;
const LONGEST_PART = 255;
/**
 * Characters that no result may have in its name: control, format (text direction), private, unassigned and surrogate ones,
 * separators of lines, and U+FFFD, which stands for bytes that were no UTF-8.
 */
const UNUSABLE = /[\p{C}\p{Zl}\p{Zp}\ufffd]/u;
const END_OF_TAR = 1024;

const KINDS: Readonly<Record<string, string>> = {
  link: 'a second name of another file',
  symlink: 'a symbolic link',
  'character-device': 'a device',
  'block-device': 'a device',
  fifo: 'a named pipe',
};

/**
 * The regular files in a tar of /output, one after the other; everything else as skipped, with its reason. The tar is read
 * as hostile: names, kinds and sizes are checked before anything is handed out, and a tar without its end is an error. What
 * the caller leaves unread is read away. `most`: bytes of content after which the rest is skipped unread.
 * Throws EngineUnavailable where the tar is none or breaks off (a file's content fails with the same), or the signal's reason.
 */
export async function* outputFiles(tar: Readable, most: number, signal?: AbortSignal): AsyncGenerator<OutputFile | OutputSkipped> {
  const extractor = extract();
  const archive = new Archive(tar, extractor);
  const failure = (error: unknown): Error => {
    if (signal?.aborted) return signal.reason as Error;
    return engineUnavailable(archive.error ?? error, 'the archive of /output cannot be read');
  };
  const seen = new Set<string>();
  let left = most;
  try {
    for await (const entry of extractor) {
      const over = ended(entry);
      const { header } = entry;
      if (!Number.isSafeInteger(header.size) || header.size < 0) throw new Error('a size that is none');
      const found = judge(header, seen);
      if (found !== undefined && header.size > left) {
        yield { path: printable(header.name), reason: `more than ${String(most)} bytes below /output; this and what follows was not read` };
        return;
      }
      left -= header.size;
      if (found !== undefined && 'reason' in found) yield found;
      if (found !== undefined && 'size' in found) yield* handOut(found, entry, failure);
      entry.resume();
      await over;
    }
    archive.checkEnd();
  } catch (error) {
    throw failure(error);
  } finally {
    tar.destroy();
  }
}

type Failure = (error: unknown) => Error;

async function* handOut(file: Omit<OutputFile, 'content'>, entry: Entry, failure: Failure): AsyncGenerator<OutputFile> {
  const content = contentOf(entry, failure);
  yield { ...file, content };
  content.destroy();
}

/** What an entry is: a file to hand out, something to skip, or (undefined) a folder. */
function judge(header: Header, seen: Set<string>): Omit<OutputFile, 'content'> | OutputSkipped | undefined {
  const { name, type, size } = header;
  const shown = printable(name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name);
  const skip = (reason: string): OutputSkipped => ({ path: shown, reason });
  if (type === 'directory') return undefined;
  if (type !== 'file' && type !== 'contiguous-file') return skip(`${KINDS[type] ?? 'of a kind that is not read'}, not a regular file`);
  // tar-stream knows nothing of GNU's sparse formats and would hand out their maps as content.
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith('GNU.sparse'))) return skip('a sparse file in a format that is not read');
  const path = name.slice(PREFIX.length);
  if (!name.startsWith(PREFIX) || !usable(path)) return skip('a name that cannot be used');
  if (seen.has(path)) return skip('a name that was there before');
  seen.add(path);
  return { path, size };
}

function usable(path: string): boolean {
  const parts = path.split('/');
  return (
    path.length <= LONGEST_PATH && !UNUSABLE.test(path) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= LONGEST_PART)
  );
}

/** A name that may not be used, fit to be shown. */
function printable(name: string): string {
  const text = name.replace(new RegExp(UNUSABLE.source, 'gu'), '\ufffd');
  return text.length > LONGEST_PART ? `${text.slice(0, LONGEST_PART)}…` : text;
}

/** The entry as a stream of Node's. Destroying it leaves the archive alone, which tar-stream's own stream would not. */
function contentOf(entry: Entry, failure: Failure): Readable {
  const content = new Readable({ read: () => void entry.resume() });
  entry.on('data', (chunk) => {
    if (!content.destroyed && !content.push(chunk)) entry.pause();
  });
  entry.on('end', () => content.push(null));
  entry.on('error', (error) => content.destroy(failure(error)));
  entry.pause();
  return content;
}

/** Resolves when nothing of the entry is left; rejects when it broke off. */
function ended(entry: Entry): Promise<void> {
  const over = new Promise<void>((resolve, reject) => {
    entry.on('end', resolve);
    entry.on('error', reject);
    entry.on('close', resolve);
  });
  over.catch(() => undefined);
  return over;
}

/** Moves the engine's bytes into the extractor, and watches for the two blocks of zeros that end a whole archive. */
class Archive {
  #tail = Buffer.alloc(0);
  error: unknown;

  constructor(tar: Readable, extractor: Extract) {
    this.#pump(tar, extractor).catch((error: unknown) => {
      this.error = error;
      extractor.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Without its end an archive broke off, be it between two entries. Throws. */
  checkEnd(): void {
    if (this.#tail.length < END_OF_TAR || this.#tail.some((byte) => byte !== 0)) throw new Error('no end of the archive');
  }

  async #pump(tar: Readable, extractor: Extract): Promise<void> {
    for await (const chunk of tar as AsyncIterable<Buffer>) {
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-END_OF_TAR)]).subarray(-END_OF_TAR);
      if (extractor.write(chunk) || extractor.destroyed) continue;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          extractor.removeListener('drain', go);
          extractor.removeListener('close', go);
          resolve();
        };
        extractor.on('drain', go);
        extractor.on('close', go);
      });
    }
    extractor.end(null);
  }
}
