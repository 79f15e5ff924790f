import { open } from 'node:fs/promises';

/** A name that was given in a folder is durable when the folder is. Throws as `open` and `fsync` do. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
