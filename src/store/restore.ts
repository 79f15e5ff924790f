import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { extract } from 'tar-stream';
import { ENTRY, FILES, RESULTS, SUMS } from './backup-content.ts';
import { BEFORE_RESTORE, RESTORING } from './interrupted-restore.ts';
import { settleRestored } from './settle-restored.ts';
import { checkStore, isStoreOpen } from './sqlite-snapshot.ts';
import { syncFolder } from './sync-folder.ts';

/** The checksums are few bytes a result. */
const LONGEST_SUMS = 512 * 2 ** 20;

/** What a restore has done. */
export interface Restored {
  /** Where the store is that was there before. */
  readonly aside?: string;
  /** Jobs of which nothing is known since the backup was made, and which have ended by that. */
  readonly ended: number;
}

/**
 * Puts an archive's content into the data folder, when all of it has been unpacked beside and checked: every checksum, and the store's
 * integrity. A store that a process has open is never touched. With `replace`, one that is there is moved to a folder whose path is
 * returned, with its key, its audit log and its results. Throws an Error that says what is wrong; then nothing has changed.
 */
export async function restore(data: string, file: string, options: { readonly replace: boolean; readonly keepQueue: boolean }): Promise<Restored> {
  await mkdir(data, { recursive: true, mode: 0o700 });
  const refuse = async (): Promise<void> => {
    const there = (await readdir(data)).includes('jobs.db');
    if (there && isStoreOpen(join(data, 'jobs.db'))) throw new Error(`the store ${join(data, 'jobs.db')} is in use: stop the gateway first`);
    if (there && !options.replace) throw new Error(`there is a store already: ${join(data, 'jobs.db')}; --replace moves it aside`);
  };
  await refuse();
  const work = await mkdtemp(join(data, RESTORING));
  try {
    await unpack(file, work);
    checkStore(join(work, 'jobs.db'));
    const ended = await settleRestored(join(work, 'jobs.db'), options.keepQueue);
    await refuse();
    const old = (await readdir(data)).filter((name) => [...FILES, RESULTS].some((each) => name === each) || /^jobs\.db-(?:wal|shm|journal)$/.test(name));
    // also where no store is: an earlier restore was interrupted, and what it has put here is not this one's
    const aside = old.length > 0 ? await mkdtemp(join(data, BEFORE_RESTORE)) : undefined;
    // the store is the first to go and the last to come: whatever ends this, no store is there with the results of another
    const first = (names: readonly string[]): string[] => names.toSorted((a, b) => Number(b === 'jobs.db') - Number(a === 'jobs.db'));
    if (aside !== undefined) for (const name of first(old)) await rename(join(data, name), join(aside, name));
    for (const name of first(await readdir(work)).reverse()) await rename(join(work, name), join(data, name));
    await syncFolder(data);
    return { ended, ...(aside === undefined ? {} : { aside }) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpack(file: string, to: string): Promise<void> {
  const archive = createReadStream(file).on('error', (error) => entries.destroy(error));
  const entries = archive.pipe(extract());
  const found = new Map<string, string>();
  let sums: string | undefined;
  for await (const entry of entries) {
    const { name, size = 0, type } = entry.header;
    if (name === SUMS && size <= LONGEST_SUMS) {
      sums = '';
      for await (const chunk of entry as AsyncIterable<Buffer>) sums += chunk.toString('latin1');
      continue;
    }
    if (sums !== undefined || type !== 'file' || !ENTRY.test(name) || found.has(name)) throw new Error(`${file} is no backup of this program: it has ${JSON.stringify(name)}`);
    await mkdir(dirname(join(to, name)), { recursive: true, mode: 0o700 });
    const hash = createHash('sha256');
    const handle = await open(join(to, name), 'wx', 0o600);
    try {
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
      await handle.datasync();
    } finally {
      await handle.close();
    }
    found.set(name, hash.digest('hex'));
  }
  if (sums === undefined || !found.has('jobs.db')) throw new Error(`${file} is not whole: its end is missing`);
  if (sums !== [...found].map(([name, sum]) => `${sum}  ${name}\n`).join('')) throw new Error(`${file} is damaged: its checksums differ`);
}
