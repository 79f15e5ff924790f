import type { Instant } from '../clock.ts';
import { EngineLate } from './docker-errors.ts';
import type { EngineRun, ListedRun } from './engine.ts';

/** Jobs inspected at once. */
const AT_ONCE = 8;

/**
 * How each of these jobs stands. An engine may be stuck with one container and answer everything else: that job is `unknown`, and the
 * others are told. A job of which `inspect` finds nothing has no container, but something beside it. Throws what `inspect` does, and
 * EngineUnavailable where the engine does not tell its `time` either.
 */
export async function listRuns(jobs: Iterable<string>, inspect: (jobId: string) => Promise<EngineRun | undefined>, time: () => Promise<Instant>): Promise<readonly ListedRun[]> {
  const runs: ListedRun[] = [];
  const queue = [...jobs];
  const inspectAll = async (): Promise<void> => {
    for (let jobId = queue.shift(); jobId !== undefined; jobId = queue.shift()) runs.push((await inspect(jobId).catch(stuck(jobId, time))) ?? { jobId, state: 'created' });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, inspectAll));
  return runs;
}

function stuck(jobId: string, time: () => Promise<Instant>): (error: unknown) => Promise<ListedRun> {
  return async (error) => {
    if (!(error instanceof EngineLate)) throw error;
    await time();
    return { jobId, state: 'unknown' };
  };
}
