import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { SystemClock } from '../clock.ts';
import { ENTRY, FILES, RESULTS, SUMS } from './backup-content.ts';
import { snapshotStore } from './sqlite-snapshot.ts';

const WORK = '.pratique-backup-';

/** A backup that has written nothing for so long (milliseconds) is no longer under way. */
const ABANDONED = 3_600_000;

/**
 * Writes the data folder's state to one tar archive (mode 0600: the link key is in it), while the gateway may run. The store comes first,
 * in one moment; results that were there then and are gone when their turn comes are left out. The file appears when it is whole
 * and on the disk, in the place of an older one. Returns the number of results. Throws an Error that names the file.
 */
export async function backup(data: string, file: string, options: { readonly results: boolean }): Promise<number> {
  const target = resolve(file);
  await tidy(dirname(target));
  const work = await mkdtemp(join(dirname(target), WORK));
  try {
    const snapshot = join(work, 'jobs.db');
    snapshotStore(join(data, 'jobs.db'), snapshot);
    const whole = join(work, 'archive');
    const archive = pack();
    const out = createWriteStream(whole, { mode: 0o600, flush: true });
    const written = finished(archive.pipe(out));
    const sums: string[] = [];
    let results = 0;
    const fill = async (): Promise<void> => {
      for (const name of FILES) await add(archive, name, name === 'jobs.db' ? snapshot : join(data, name), sums);
      if (options.results) for await (const name of resultsIn(data)) if (await add(archive, name, join(data, name), sums)) results += 1;
      archive.entry({ name: SUMS, mode: 0o600 }, sums.join(''));
      archive.finalize();
    };
    await Promise.all([written, fill().catch((error: unknown) => void archive.destroy(error instanceof Error ? error : new Error(String(error))))]);
    await rename(whole, target);
    return results;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes what backups have left that were killed: one that is under way writes all the time. */
async function tidy(folder: string): Promise<void> {
  const now = new SystemClock().now();
  for (const name of (await names(folder)).filter((each) => each.startsWith(WORK))) {
    const work = join(folder, name);
    const files = (await names(work)).map((each) => join(work, each));
    const times = await Promise.all([work, ...files].map((each) => stat(each).then(({ mtimeMs }) => mtimeMs, () => 0)));
    if (now - Math.max(...times) > ABANDONED) await rm(work, { recursive: true, force: true });
  }
}

async function* resultsIn(data: string): AsyncGenerator<string> {
  for (const job of await names(join(data, RESULTS))) {
    for (const result of await names(join(data, RESULTS, job))) {
      const name = `${RESULTS}/${job}/${result}`;
      if (ENTRY.test(name)) yield name;
    }
  }
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** As much of the file as there is now: the audit log grows meanwhile. False where there is none. */
async function add(archive: Pack, name: string, path: string, sums: string[]): Promise<boolean> {
  const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return false;
  try {
    const { size } = await handle.stat();
    const hash = createHash('sha256');
    const entry = archive.entry({ name, size, mode: 0o600 });
    const done = finished(entry);
    done.catch(() => undefined);
    if (size > 0) {
      for await (const chunk of handle.createReadStream({ end: size - 1, autoClose: false }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        if (!entry.write(chunk)) await Promise.race([new Promise<void>((go) => entry.once('drain', () => go())), done]);
      }
    }
    entry.end(undefined);
    await done;
    sums.push(`${hash.digest('hex')}  ${name}\n`);
    return true;
  } finally {
    await handle.close();
  }
}
