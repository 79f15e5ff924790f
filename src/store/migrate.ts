import type { Database } from 'better-sqlite3';
import { JOBS } from './migrations/0001-jobs.ts';
import { PULLED_IMAGES } from './migrations/0002-pulled-images.ts';
import { USAGE } from './migrations/0003-usage.ts';

/** In order; the number of those that have been applied is the database's user_version. */
const MIGRATIONS: readonly string[] = [JOBS, PULLED_IMAGES, USAGE];

/** The version of a store that is up to date. */
export const newestVersion = MIGRATIONS.length;

/**
 * Brings the schema up to date, each step in a transaction of its own with its number, so that two processes that start
 * together cannot both take it. Throws when the database is of a later version than this program knows.
 */
export function migrate(database: Database): void {
  for (;;) {
    const done = database
      .transaction(() => {
        const version = database.pragma('user_version', { simple: true }) as number;
        if (version > MIGRATIONS.length) {
          throw new Error(`the store is of version ${String(version)}, this program knows ${String(MIGRATIONS.length)}: use the newer program`);
        }
        const next = MIGRATIONS[version];
        if (next === undefined) return true;
        database.exec(next);
        database.pragma(`user_version = ${String(version + 1)}`);
        return false;
      })
      .immediate();
    if (done) return;
  }
}
