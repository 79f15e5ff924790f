import { PassThrough, type Readable } from 'node:stream';
import { engineUnavailable } from './docker-errors.ts';

/** One write of a container's, as the engine keeps it: a line, or a part of a long one. */
export interface LogEntry {
  /** RFC 3339 with nine digits, so that it compares as text. */
  readonly time: string;
  readonly bytes: Buffer;
}

/** A container's log, and what its lines are marked with. */
export interface LogSource {
  readonly name: string;
  readonly entries: AsyncIterable<LogEntry>;
}

const HEADER = 8;
const KINDS = { stdout: 1, stderr: 2 } as const;
/** The engine splits lines at 16 kB, the local log driver's files at 1 MiB (bytes). */
const LONGEST_ENTRY = 2 * 2 ** 20;

/** The entries of one stream out of the engine's multiplexed one, asked for with timestamps. Throws EngineUnavailable where it breaks off. */
export async function* logEntries(source: AsyncIterable<unknown>, stream: keyof typeof KINDS): AsyncGenerator<LogEntry> {
  let buffered: Buffer = Buffer.alloc(0);
  for await (const piece of unbroken(source)) {
    buffered = Buffer.concat([buffered, Buffer.from(piece as Uint8Array)]);
    for (;;) {
      if (buffered.length < HEADER) break;
      const length = buffered.readUInt32BE(4);
      if ((buffered[0] ?? 255) > 2 || length > LONGEST_ENTRY) throw engineUnavailable(undefined, 'the container engine gave a log that is none');
      if (buffered.length < HEADER + length) break;
      const kind = buffered[0];
      const payload = buffered.subarray(HEADER, HEADER + length);
      buffered = buffered.subarray(HEADER + length);
      if (kind === KINDS[stream]) yield entryOf(payload);
    }
  }
  if (buffered.length > 0) throw engineUnavailable(undefined, 'the log of the container broke off');
}

function entryOf(payload: Buffer): LogEntry {
  const blank = payload.indexOf(0x20);
  return { time: payload.subarray(0, blank).toString('latin1'), bytes: Buffer.from(payload.subarray(blank + 1)) };
}

async function* unbroken(source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* source;
  } catch (error) {
    throw engineUnavailable(error);
  }
}

/** Several logs as one, in the order of time, every line marked with its container. Each source is read one entry ahead. */
export async function* mergedLogs(sources: readonly LogSource[]): AsyncGenerator<Buffer> {
  const marker = new LineMarker();
  const heads = await Promise.all(
    sources.map(async ({ name, entries }) => {
      const iterator = entries[Symbol.asyncIterator]();
      return { name, iterator, next: await iterator.next() };
    }),
  );
  try {
    for (;;) {
      let first: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.next.done !== true && (first === undefined || first.next.done === true || head.next.value.time < first.next.value.time)) first = head;
      }
      if (first === undefined || first.next.done === true) return;
      yield marker.mark(first.name, first.next.value.bytes);
      first.next = await first.iterator.next();
    }
  } finally {
    await Promise.all(heads.map(async ({ iterator }) => iterator.return?.(undefined)));
  }
}

/** Several logs as one as they come, from containers of which some have yet to start. Ends when all have. */
export function followedLogs(sources: readonly LogSource[]): Readable {
  const marker = new LineMarker();
  const merged = new PassThrough();
  const pump = async ({ name, entries }: LogSource): Promise<void> => {
    for await (const { bytes } of entries) {
      if (merged.destroyed) return;
      if (!merged.write(marker.mark(name, bytes))) await new Promise<void>((resolve) => void merged.once('drain', resolve).once('close', resolve));
    }
  };
  Promise.all(sources.map(pump)).then(() => merged.end(), (error: unknown) => merged.destroy(error instanceof Error ? error : new Error(String(error))));
  return merged;
}

/** Puts the name of its container before every line, and keeps lines of two containers apart. */
class LineMarker {
  #last: string | undefined;
  readonly #open = new Set<string>();

  mark(name: string, bytes: Buffer): Buffer {
    const changed = this.#last !== name;
    const parts: Buffer[] = [];
    // somebody else's line has no end yet
    if (changed && this.#last !== undefined && this.#open.has(this.#last)) {
      parts.push(Buffer.from('\n'));
      this.#open.delete(this.#last);
    }
    if (changed || !this.#open.has(name)) parts.push(Buffer.from(`${name} | `));
    parts.push(bytes);
    this.#last = name;
    if (bytes.at(-1) === 0x0a) this.#open.delete(name);
    else this.#open.add(name);
    return parts.length === 1 ? bytes : Buffer.concat(parts);
  }
}

/** The engine's own writing of a time, as it takes it: seconds, and nine digits. */
export function secondsOf(time: string): string {
  const [whole = '', rest = ''] = time.replace('Z', '').split('.');
  return `${String(Date.parse(`${whole}Z`) / 1000)}.${rest}`;
}

/** Entries as they were written, without their times. */
export async function* bytesOf(entries: AsyncIterable<LogEntry>): AsyncGenerator<Buffer> {
  for await (const { bytes } of entries) yield bytes;
}
