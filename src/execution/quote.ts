import type { Instant } from '../clock.ts';
import type { Job } from '../job/job.ts';
import type { JobStore } from '../store/job-store.ts';

/** When a job that runs is over at the latest; null where it has no limit. */
export function quoteOf(startTime: Instant, executionDuration: number): Instant | null {
  return executionDuration === 0 ? null : startTime + executionDuration * 1000;
}

/**
 * The job, its quote put where its limit is now: the one can be changed while the other is written. With `holder`, only while the
 * job is that holder's.
 */
export async function withQuote(store: JobStore, job: Job, holder?: string): Promise<Job> {
  let now = job;
  while (now.phase === 'EXECUTING' && now.startTime !== null) {
    const quote = quoteOf(now.startTime, now.executionDuration);
    const changed = now.quote === quote ? undefined : await store.update(now.id, ['EXECUTING'], { quote }, holder);
    if (changed === undefined) break;
    now = changed;
  }
  return now;
}
