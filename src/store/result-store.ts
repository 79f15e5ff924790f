import type { Readable } from 'node:stream';
import type { Digest } from '../image/digest.ts';

/** What was kept of a stream. */
export interface StoredResult {
  /** Bytes. */
  readonly size: number;
  readonly digest: Digest;
}

/** Where the bytes of results live. Ids are looked up, never joined to a path as they come. */
export interface ResultStore {
  /** Removes what an interrupted `write` of the job has left. To be called by whoever alone writes for this job now. */
  tidy(jobId: string): Promise<void>;
  /**
   * Keeps at most `limit` bytes of `content`; resolves when they are on the disk, and `settle` makes them durable. A longer
   * stream is an error of code TooLarge and leaves nothing. Writing again replaces. Throws Unavailable when the disk is full.
   */
  write(jobId: string, resultId: string, content: Readable, limit: number): Promise<StoredResult>;
  /** Resolves when everything that was written for the job is durable. */
  settle(jobId: string): Promise<void>;
  /** The bytes from `start` to `end` (inclusive, both optional), or undefined where there are none. */
  read(jobId: string, resultId: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | undefined>;
  /** Removes everything of the job; nothing there = done. */
  deleteAll(jobId: string): Promise<void>;
  /** Ids of all jobs that have results here: what recovery compares with the job store. */
  jobs(): Promise<readonly string[]>;
}
