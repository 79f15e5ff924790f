import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { Instant } from '../clock.ts';
import { newestVersion } from './migrate.ts';
import { toRecord, type UsageRow } from './sqlite-usage-rows.ts';
import type { UsageRecord } from './usage-store.ts';

const ROWS = 'SELECT * FROM usage WHERE end_time IS NULL OR end_time > ? ORDER BY start_time';

/**
 * Every job that ran at some time after `since`, oldest first, as the file has it in this moment: a gateway may write into it
 * meanwhile, or there may be none. Throws an Error that names the file, where it cannot be read.
 */
export function* readUsage(file: string, since: Instant): Generator<UsageRecord> {
  if (!existsSync(file)) throw new Error(`there is no store ${file}`);
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 5000 });
  try {
    const version = connection.pragma('user_version', { simple: true }) as number;
    if (version !== newestVersion) throw new Error(`the store ${file} is of version ${String(version)}, this program reads ${String(newestVersion)}: ${version < newestVersion ? 'start its gateway once' : 'use the newer program'}`);
    for (const row of connection.prepare<[Instant], UsageRow>(ROWS).iterate(since)) yield toRecord(row);
  } catch (error) {
    if (error instanceof Sqlite.SqliteError) throw new Error(`the store ${file} cannot be read: ${error.message}`, { cause: error });
    throw error;
  } finally {
    connection.close();
  }
}
