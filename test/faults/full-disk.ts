import { closeSync, openSync, rmSync, writeSync } from 'node:fs';

/** Writes a file until its disk is full to the last byte; what removes it. */
export function fill(file: string): () => void {
  const handle = openSync(file, 'a');
  const zeros = Buffer.alloc(2 ** 20);
  try {
    for (let size = zeros.length; size >= 1; ) {
      try {
        writeSync(handle, zeros, 0, size);
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(handle);
  }
  return () => rmSync(file, { force: true });
}
