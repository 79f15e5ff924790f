import { SystemClock } from '../clock.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { SqliteJobStore } from './sqlite-job-store.ts';
import { SqliteUsageStore } from './sqlite-usage-store.ts';

/** What a restored job says that was under way. */
const MESSAGE = 'restored from a backup: what became of the job after it was made is not known; it can be submitted again';

/**
 * Ends, in a store that nobody uses yet, the jobs of which nothing is known since the backup was made: those that were EXECUTING, and
 * those that were QUEUED, for they may have run since, and no job runs twice. With `keepQueue` the latter stay: for backups of a gateway
 * that had been drained. Returns how many were ended.
 */
export async function settleRestored(file: string, keepQueue: boolean): Promise<number> {
  const database = new SqliteDatabase(file);
  const store = new SqliteJobStore(database);
  const usage = new SqliteUsageStore(database);
  try {
    const ids = store.inPhases(keepQueue ? ['EXECUTING'] : ['QUEUED', 'EXECUTING']);
    const endTime = new SystemClock().now();
    for (const id of ids) {
      await store.changePhase(id, { from: ['QUEUED', 'EXECUTING'], to: 'ERROR', set: { error: { type: 'transient', message: MESSAGE }, endTime } });
      usage.cut(id);
    }
    return ids.length;
  } finally {
    await store.close();
  }
}
