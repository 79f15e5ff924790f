import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';

/** Bits of Go's fs.FileMode that say "no regular file", and those of its permissions. */
const KIND_BITS = 0x8f280000;
const PERMISSIONS = 0o777;

const statSchema = z.object({ size: z.number(), mode: z.number(), mtime: z.string(), linkTarget: z.string().nullish() });

/** What is at a path of a container. */
export interface PathStat {
  /** Bytes. */
  readonly size: number;
  readonly isFile: boolean;
  readonly permissions: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Where a symbolic link leads in the end, in the same container; absent = it is none. */
  readonly linkTarget?: string;
}

/** What the engine says of a path in a container, without its content. Throws as DockerCalls.open: DockerStatusError 404 where there is none. */
export async function statOf(calls: DockerCalls, container: string, path: string, signal?: AbortSignal): Promise<PathStat | undefined> {
  const response = await calls.open('HEAD', `/containers/${container}/archive`, { query: { path }, signal });
  response.resume();
  return pathStat(response.headers);
}

/** The engine's X-Docker-Container-Path-Stat header; undefined where it cannot be read. */
export function pathStat({ 'x-docker-container-path-stat': header }: IncomingHttpHeaders): PathStat | undefined {
  if (typeof header !== 'string') return undefined;
  const stat = statSchema.safeParse(parsed(Buffer.from(header, 'base64').toString('utf8')));
  if (!stat.success) return undefined;
  const { linkTarget, mode, mtime, size } = stat.data;
  return { size, isFile: (mode & KIND_BITS) === 0, permissions: mode & PERMISSIONS, modified: Date.parse(mtime), ...(linkTarget ? { linkTarget } : {}) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
