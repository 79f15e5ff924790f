import type { Statement } from 'better-sqlite3';
import type { Instant } from '../clock.ts';
import { type Meters, totalOf, type Usage } from '../task/usage.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import type { CpuSpan, ImagesRun, UsageStore } from './usage-store.ts';

interface SpanRow {
  readonly start_time: number;
  readonly end_time: number;
  readonly cpu: number;
  readonly groups: string;
}

/** All of its cores for as long as nobody has measured: who runs many short jobs, or hides from the measure, gains nothing by it. */
const CPU = '(COALESCE(cpu_seconds, 0) + cores * MAX(0, COALESCE(end_time, @now) - MAX(start_time, COALESCE(measured_at, 0))) / 1000.0)';

const spans = (where: string): string => `SELECT groups, start_time, COALESCE(end_time, @now) AS end_time, ${CPU} AS cpu FROM usage WHERE ${where}`;

/** What jobs have used, in the file of the jobs. */
export class SqliteUsageStore implements UsageStore {
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, Statement<[object], unknown>>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async meters(jobId: string): Promise<Meters> {
    return this.#row(jobId)?.meters ?? {};
  }

  async keep(jobId: string, meters: Meters, at: Instant): Promise<void> {
    this.#run('UPDATE usage SET meters = @meters, cpu_seconds = @cpu, measured_at = @at WHERE job_id = @jobId', { jobId, meters: JSON.stringify(meters), cpu: totalOf(meters).cpuSeconds, at });
  }

  async used(jobId: string): Promise<Usage | undefined> {
    const row = this.#row(jobId);
    return row === undefined ? undefined : { ...totalOf(row.meters), measuredAt: row.measuredAt };
  }

  async cpu(owner: string | null | undefined, since: Instant, now: Instant): Promise<readonly CpuSpan[]> {
    const whose = owner === undefined ? '' : 'AND owner IS @owner';
    const rows = this.#all<SpanRow>(`${spans(`end_time IS NOT NULL AND end_time > @since ${whose}`)} UNION ALL ${spans(`end_time IS NULL ${whose}`)}`, { since, now, ...(owner === undefined ? {} : { owner }) });
    return rows.map(({ start_time: from, end_time: to, cpu: cpuSeconds, groups }) => ({ from, to, cpuSeconds, groups: JSON.parse(groups) as readonly string[] }));
  }

  async images(owner: string | null | undefined, since: Instant): Promise<readonly ImagesRun[]> {
    const whose = owner === undefined ? '' : 'AND owner IS @owner';
    const sql = `SELECT images, groups, MAX(start_time) AS at FROM usage WHERE start_time > @since ${whose} GROUP BY images, groups`;
    const rows = this.#all<{ images: string; groups: string; at: number }>(sql, { since, ...(owner === undefined ? {} : { owner }) });
    return rows.map(({ images, groups, at }) => ({ images: (JSON.parse(images) as readonly string[]).map((image) => image.slice(image.lastIndexOf('@') + 1)), groups: JSON.parse(groups) as readonly string[], at }));
  }

  async kept(): Promise<readonly { readonly groups: readonly string[]; readonly bytes: number }[]> {
    const rows = this.#all<{ groups: string; bytes: number }>('SELECT groups, SUM(kept_bytes) AS bytes FROM usage WHERE kept_bytes > 0 GROUP BY groups', {});
    return rows.map(({ groups, bytes }) => ({ groups: JSON.parse(groups) as readonly string[], bytes }));
  }

  async forget(before: Instant): Promise<void> {
    this.#run('DELETE FROM usage WHERE end_time IS NOT NULL AND end_time < @before AND kept_bytes = 0', { before });
  }

  /** Nothing is known of the job since it was measured last: it has ended then, as far as anybody can say. */
  cut(jobId: string): void {
    this.#run('UPDATE usage SET end_time = COALESCE(measured_at, start_time) WHERE job_id = @jobId', { jobId });
  }

  #row(jobId: string): { readonly meters: Meters; readonly measuredAt: Instant } | undefined {
    const [row] = this.#all<{ meters: string | null; measured_at: number | null }>('SELECT meters, measured_at FROM usage WHERE job_id = @jobId', { jobId });
    return row === undefined || row.meters === null || row.measured_at === null ? undefined : { meters: JSON.parse(row.meters) as Meters, measuredAt: row.measured_at };
  }

  #all<Row>(sql: string, values: object): readonly Row[] {
    return this.#database.attempt(() => this.#prepared(sql).all(values)) as readonly Row[];
  }

  #run(sql: string, values: object): void {
    this.#database.attempt(() => this.#prepared(sql).run(values));
  }

  #prepared(sql: string): Statement<[object], unknown> {
    const statement = this.#statements.get(sql) ?? this.#database.connection.prepare<[object], unknown>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
