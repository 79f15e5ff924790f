import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { GatewayError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { ResultStore, StoredResult } from './result-store.ts';
import { syncFolder } from './sync-folder.ts';

const PARTIAL = '.partial';

/** What the system says when a disk, or a share of it, cannot take more. */
const DISK: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE']);

/** A UUID, that of a project's job with its mark before it. */
const JOB_ID = /^(?:c-)?[0-9a-f-]{36}$/;

/**
 * Results as files: a folder a job, a file a result, named by the hash of the result's id; so no id, however odd, becomes a
 * path. A file appears under its name only when it is whole and on the disk.
 */
export class FileResultStore implements ResultStore {
  readonly #folder: string;
  /** In the names of unfinished files: a gateway that has lost a job unawares does not write into its successor's. */
  readonly #instance = randomBytes(6).toString('hex');

  constructor(folder: string) {
    this.#folder = folder;
  }

  async tidy(jobId: string): Promise<void> {
    const folder = this.#job(jobId);
    const left = (await namesIn(folder)).filter((name) => name.endsWith(PARTIAL));
    await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
  }

  async write(jobId: string, resultId: string, content: Readable, limit: number): Promise<StoredResult> {
    const file = join(this.#job(jobId), fileName(resultId));
    const partial = `${file}.${this.#instance}${PARTIAL}`;
    try {
      await mkdir(this.#job(jobId), { recursive: true, mode: 0o700 });
      const stored = await keep(partial, content, limit, resultId);
      await rename(partial, file);
      return stored;
    } catch (error) {
      content.destroy();
      await rm(partial, { force: true });
      throw translated(error);
    }
  }

  async settle(jobId: string): Promise<void> {
    try {
      await mkdir(this.#job(jobId), { recursive: true, mode: 0o700 });
      await syncFolder(this.#job(jobId));
      await syncFolder(this.#folder);
    } catch (error) {
      throw translated(error);
    }
  }

  async read(jobId: string, resultId: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | undefined> {
    const file = join(this.#job(jobId), fileName(resultId));
    const exists = await stat(file).then(() => true, () => false);
    return exists ? createReadStream(file, range ?? {}) : undefined;
  }

  async deleteAll(jobId: string): Promise<void> {
    await rm(this.#job(jobId), { recursive: true, force: true });
  }

  async jobs(): Promise<readonly string[]> {
    return (await namesIn(this.#folder)).filter((name) => JOB_ID.test(name));
  }

  #job(jobId: string): string {
    if (!JOB_ID.test(jobId)) throw new Error('not a job id');
    return join(this.#folder, jobId);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

function translated(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && DISK.has(code) ? new GatewayError('Unavailable', 'results cannot be kept at present: the disk is full or fails', { cause: error }) : error;
}

function fileName(resultId: string): string {
  return createHash('sha256').update(resultId).digest('hex');
}

async function keep(file: string, content: Readable, limit: number, resultId: string): Promise<StoredResult> {
  const handle = await open(file, 'w', 0o600);
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of content as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new GatewayError('TooLarge', `${JSON.stringify(resultId)} is larger than the ${String(limit)} bytes that are kept of it`);
      hash.update(chunk);
      // not write, which may take only a part, as where the disk fills, and say so to nobody who does not count
      await handle.appendFile(chunk);
    }
    await handle.datasync();
    return { size, digest: `sha256:${hash.digest('hex')}` satisfies Digest };
  } finally {
    await handle.close();
  }
}
