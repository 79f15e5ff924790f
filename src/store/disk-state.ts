import { stat, statfs } from 'node:fs/promises';

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
