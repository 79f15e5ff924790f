import { access, constants, mkdir, stat, statfs } from 'node:fs/promises';

/** Makes the data folder where there is none. Throws an Error that names it, where it is no folder or nothing can be written there. */
export async function dataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`the data folder ${folder} (data) cannot be used`, { cause: error });
  }
}

/** Bytes that a program without privileges may still write to the file system of this folder. */
export async function freeSpace(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Bytes of a store's files, of those that there are. */
export async function storeSize(file: string): Promise<number> {
  const sizes = await Promise.all([file, `${file}-wal`].map((each) => stat(each).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
