import type { Readable } from 'node:stream';
import { type Engine, EngineRefused } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Job, Result } from '../job/job.ts';
import type { ResultStore } from '../store/result-store.ts';
import { logsOf } from './job-logs.ts';

/** A result's bytes; of a job that still writes it, what there is so far. */
export interface OpenResult {
  readonly result: Result;
  readonly content: Readable;
}

/** The first and the last byte. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

export interface OpenResultParts {
  readonly engine: Pick<Engine, 'logs'>;
  readonly results: ResultStore;
  /** The job as it is now. */
  readonly again: () => Promise<Job | undefined>;
}

/**
 * A result that was kept, or a log as far as it has been written. The container of a log may be removed at any moment, for the job may
 * end; then the log is a result like the others, and whole. Throws NotFound, Unavailable, EngineUnavailable.
 */
export async function openResult(job: Job, resultId: string, { again, engine, results }: OpenResultParts, range?: ByteSpan): Promise<OpenResult> {
  const result = job.results.find((each) => each.id === resultId);
  if (result === undefined) throw noResult(resultId);
  const log = result.size === undefined ? logsOf(job.task).find((each) => each.id === resultId) : undefined;
  if (log === undefined) return { result, content: await kept(results, job.id, resultId, range) };
  const { part, stream } = log;
  try {
    return { result, content: await engine.logs(job.id, stream, { follow: false, ...(part === undefined ? {} : { part }) }) };
  } catch (error) {
    if (!(error instanceof EngineRefused)) throw error;
    if ((await again())?.results.some(({ id, size }) => id === resultId && size !== undefined)) return { result, content: await kept(results, job.id, resultId) };
    throw new GatewayError('Unavailable', 'what the job has written cannot be read at this moment', { headers: { 'Retry-After': '1' }, cause: error });
  }
}

async function kept(results: ResultStore, jobId: string, resultId: string, range?: ByteSpan): Promise<Readable> {
  const content = await results.read(jobId, resultId, range);
  if (content === undefined) throw noResult(resultId);
  return content;
}

/** The error for a result that the job does not have. */
export function noResult(resultId: string): GatewayError {
  return new GatewayError('NotFound', `the job has no result ${JSON.stringify(resultId.slice(0, 100))}`);
}
