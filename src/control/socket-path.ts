import { relative } from 'node:path';

/** What the system takes as the path of a socket (bytes, without the closing zero): the least of Linux and macOS. */
const LONGEST = 103;

/** The path as the system takes it: relative to the working directory where that is shorter. Throws an Error where it is too long both ways. */
export function socketPath(path: string): string {
  const near = relative(process.cwd(), path);
  const shorter = Buffer.byteLength(near) < Buffer.byteLength(path) ? near : path;
  if (Buffer.byteLength(shorter) <= LONGEST) return shorter;
  throw new Error(`the path ${path} is too long for a socket: ${String(LONGEST)} bytes at most`);
}
