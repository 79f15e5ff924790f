import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import type { DockerCalls } from './docker-call.ts';
import { DockerStatusError } from './docker-errors.ts';
import { type PathStat, statOf } from './docker-path-stat.ts';

/** Where a job tells how far it is. */
const PROGRESS_PATH = '/output/.uws/progress';

/** A file of one line, or of one line a step; longer ones are not read (bytes). */
const LONGEST_FILE = 64 * 1024;
const LONGEST_LINE = 200;

/** The last line of the running container's own word; undefined where there is none, or no such container. Throws EngineUnavailable. */
export async function progressOf(calls: DockerCalls, container: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    if (!isReadable(await statOf(calls, container, PROGRESS_PATH, signal))) return undefined;
    return await lastLine(await calls.open('GET', `/containers/${container}/archive`, { query: { path: PROGRESS_PATH }, signal }));
  } catch (error) {
    if (error instanceof DockerStatusError) return undefined;
    throw error;
  }
}

/** Whether this is a regular file short enough to be read. */
export function isReadable(stat: PathStat | undefined): boolean {
  return stat !== undefined && stat.isFile && stat.size <= LONGEST_FILE;
}

/** The last line of the first entry of a tar, fit to be shown; undefined where it is no regular file. */
export async function lastLine(tar: Readable): Promise<string | undefined> {
  const extractor = extract();
  tar.on('error', () => extractor.destroy());
  tar.pipe(extractor);
  try {
    for await (const entry of extractor) {
      if (entry.header.type !== 'file' || (entry.header.size ?? 0) > LONGEST_FILE) return undefined;
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      return lineOf(Buffer.concat(chunks).toString('utf8'));
    }
    return undefined;
  } finally {
    tar.destroy();
  }
}

function lineOf(text: string): string | undefined {
  const line = text.trimEnd().split(/\r?\n|\r/).at(-1)?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').trim() ?? '';
  return line === '' ? undefined : line.slice(0, LONGEST_LINE);
}
