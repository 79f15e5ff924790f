import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What the folder is called in which a restore unpacks, and the one to which it moves what was there before. */
export const RESTORING = '.restore-';
export const BEFORE_RESTORE = 'before-restore-';

/**
 * To be called before a store is opened that would be made where there is none. Throws an Error that says what to do where a restore into
 * the data folder was interrupted: what it has moved already belongs to no new store, which would have another name on the engine and
 * know none of the jobs.
 */
export async function refuseHalfRestored(data: string): Promise<void> {
  const names = await namesIn(data);
  const work = names.filter((name) => name.startsWith(RESTORING));
  if (names.includes('jobs.db') || work.length === 0) return;
  const aside = names.filter((name) => name.startsWith(BEFORE_RESTORE));
  const back = aside.length === 0 ? '' : `, or move the content of ${aside.map((name) => join(data, name)).join(' or ')} back to have what was there before`;
  throw new Error(`a restore into ${data} was interrupted, and there is no store: run \`pratique restore\` again${back}; to begin with nothing, remove ${work.map((name) => join(data, name)).join(', ')}`);
}

/** Removes what interrupted restores have left. To be called when the store is open: then no restore can be under way. */
export async function tidyRestores(data: string): Promise<void> {
  for (const name of await namesIn(data)) if (name.startsWith(RESTORING)) await rm(join(data, name), { recursive: true, force: true });
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
