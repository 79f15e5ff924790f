import { createReadStream } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import { isDigest, type Digest } from '../image/digest.ts';
import type { Logger } from '../logger.ts';
import { type AuditEntry, type AuditFilter, type AuditLog, matchesFilter } from './audit-log.ts';

/** Entries that may wait to be written: some seconds of the busiest site, some megabytes. */
const MAX_WAITING = 10_000;
/** Entries in one write. */
const BATCH = 500;
/** How long entries wait for company (milliseconds). */
const MOMENT = 50;

const digest = z.custom<Digest>(isDigest);
const entrySchema = z.object({
  id: z.string(),
  at: z.string().transform((text) => Date.parse(text)),
  door: z.enum(['accepts', 'create', 'run']),
  caller: z.object({ id: z.string().nullable(), groups: z.array(z.string()) }),
  policy: digest,
  rule: z.string(),
  reference: z.string(),
  digests: z.object({ index: digest.exactOptional(), manifest: digest, config: digest }).exactOptional(),
  base: z.object({ name: z.string(), digest }).exactOptional(),
  relaxed: z.array(z.string()).exactOptional(),
  answer: z.enum(['yes', 'no']),
  reasons: z.array(z.object({ code: z.string(), path: z.string(), text: z.string(), rule: z.string().exactOptional() })),
});

/**
 * JSON lines in one file that is only ever appended to, and opened anew for each write, so that it can be rotated by
 * renaming. Entries are written a moment after they were taken, many at a time; those of the last moment are lost when the
 * process is killed, so `flush` before the end.
 */
export class JsonAuditLog implements AuditLog {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #waiting: AuditEntry[] = [];
  #busy = false;
  #writing: Promise<void> = Promise.resolve();
  #hurry = new AbortController();

  constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  record(entry: AuditEntry): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#start();
      throw new GatewayError('Unavailable', 'decisions cannot be recorded at present, so none is made');
    }
    this.#waiting.push(entry);
    this.#start();
  }

  async flush(): Promise<void> {
    this.#start();
    this.#hurry.abort();
    await this.#writing;
    if (this.#waiting.length > 0) throw new GatewayError('Unavailable', 'decisions cannot be recorded at present');
  }

  async *query(filter: AuditFilter): AsyncIterable<AuditEntry> {
    await this.flush();
    for await (const entry of readEntries(this.#path)) if (matchesFilter(entry, filter)) yield entry;
  }

  #start(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    this.#hurry = new AbortController();
    this.#writing = this.#drain();
  }

  /** The one writer: goes on until nothing waits or the disk says no. */
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#clock.sleep(MOMENT, this.#hurry.signal);
        const batch = this.#waiting.slice(0, BATCH);
        await this.#append(batch.map((entry) => `${line(entry)}\n`).join(''));
        this.#waiting.splice(0, batch.length);
      }
    } catch (error) {
      // They wait for the next try; when too many do, `record` refuses.
      this.#logger.error({ error: String(error), waiting: this.#waiting.length }, 'the audit log cannot be written');
    } finally {
      this.#busy = false;
    }
  }

  async #append(text: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(this.#path, 'a+', 0o600);
    try {
      await file.appendFile(`${(await endsWithinLine(file)) ? '\n' : ''}${text}`);
    } finally {
      await file.close();
    }
  }
}

/** The entries of an audit file, rotated ones too; no file = none. Lines that are no entries (cut off by a crash) are passed over. */
export async function* readEntries(path: string): AsyncIterable<AuditEntry> {
  const input = createReadStream(path, 'utf8');
  const lines = createInterface({ input, crlfDelay: Infinity });
  try {
    for await (const text of lines) {
      const entry = parseLine(text);
      if (entry !== undefined) yield entry;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  } finally {
    lines.close();
    input.destroy();
  }
}

function line(entry: AuditEntry): string {
  return JSON.stringify({ ...entry, at: new Date(entry.at).toISOString() });
}

function parseLine(text: string): AuditEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** A crash may have cut the last line short: the next one must not become its end. */
async function endsWithinLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
}
