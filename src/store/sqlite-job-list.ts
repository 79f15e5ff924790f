import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Statement } from 'better-sqlite3';
import type { JobFilter, JobSummary } from '../job/job.ts';
import { type JobRow, SUMMARY_COLUMNS, toSummary } from './job-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Rows read at a time: some milliseconds, after which other requests have their turn. */
const PAGE = 500;

const NEWEST_FIRST = 'ORDER BY creation_time DESC, id DESC';

interface Position {
  readonly time: number;
  readonly id: string;
}

/** Pages through job lists by key, so that a page costs what it returns: each part of the query walks one index. */
export class SqliteJobList {
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, Statement<unknown[], JobRow>>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** The summaries that the filter lets through, newest first. */
  async *read(filter: JobFilter): AsyncGenerator<JobSummary> {
    let left = filter.last ?? Infinity;
    let before: Position = { time: Number.MAX_SAFE_INTEGER, id: '' };
    while (left > 0) {
      const size = Math.min(PAGE, left);
      const rows = this.#page(filter, before, size);
      for (const row of rows) yield toSummary(row);
      const end = rows.at(-1);
      if (rows.length < size || end === undefined) return;
      left -= rows.length;
      before = { time: end.creation_time, id: end.id };
      await nextTurn();
    }
  }

  #page(filter: JobFilter, before: Position, size: number): readonly JobRow[] {
    const phases = filter.phases === undefined ? [undefined] : [...new Set(filter.phases)];
    if (phases.length === 0) return [];
    const everybody = filter.owner === undefined;
    const shared = [filter.list, ...(everybody ? [] : [filter.owner]), before.time, before.id, filter.after ?? -1];
    const values = phases.flatMap((phase) => [...(phase === undefined ? [] : [phase]), ...shared, size]);
    return this.#database.attempt(() => this.#statement(phases[0] !== undefined, phases.length, everybody).all(...values, size));
  }

  /** One walk of an index for each phase, merged: a union sorted as a whole would read every matching job. */
  #statement(byPhase: boolean, count: number, everybody: boolean): Statement<unknown[], JobRow> {
    const key = `${String(byPhase)} ${String(count)} ${String(everybody)}`;
    const known = this.#statements.get(key);
    if (known !== undefined) return known;
    const phase = byPhase ? 'phase = ?' : "phase <> 'ARCHIVED'";
    const part = `SELECT ${SUMMARY_COLUMNS} FROM (SELECT ${SUMMARY_COLUMNS} FROM jobs
      WHERE deleted = 0 AND ${phase} AND list = ? ${everybody ? '' : 'AND owner IS ?'}
        AND (creation_time, id) < (?, ?) AND creation_time > ? ${NEWEST_FIRST} LIMIT ?)`;
    const statement = this.#database.connection.prepare<unknown[], JobRow>(`${Array<string>(count).fill(part).join(' UNION ALL ')} ${NEWEST_FIRST} LIMIT ?`);
    this.#statements.set(key, statement);
    return statement;
  }
}
