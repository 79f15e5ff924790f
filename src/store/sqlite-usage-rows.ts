import type { Database, Statement } from 'better-sqlite3';
import type { Job, JobListName } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';
import { imagesOf } from '../task/project.ts';
import { type Meters, totalOf } from '../task/usage.ts';
import type { UsageRecord } from './usage-store.ts';

/** One row of the table `usage`. */
export interface UsageRow {
  readonly job_id: string;
  readonly list: string;
  readonly owner: string | null;
  readonly groups: string;
  readonly images: string;
  readonly phase: string;
  readonly cores: number;
  readonly memory: number;
  readonly start_time: number;
  readonly end_time: number | null;
  readonly result_bytes: number;
  readonly measured_at: number | null;
  readonly meters: string | null;
}

const COLUMNS = ['job_id', 'list', 'owner', 'groups', 'images', 'phase', 'cores', 'memory', 'start_time', 'end_time', 'result_bytes', 'kept_bytes'] as const;

/** The end, once it is known, is the end; and of what was kept, the most counts. */
const FOLLOW = `INSERT INTO usage (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((name) => `@${name}`).join(', ')})
  ON CONFLICT (job_id) DO UPDATE SET phase = CASE @phase WHEN 'ARCHIVED' THEN phase ELSE @phase END,
    end_time = COALESCE(end_time, @end_time), result_bytes = MAX(result_bytes, @result_bytes), kept_bytes = @kept_bytes`;

/** Lets the table follow the jobs, within the writes that change those. */
export class UsageRows {
  readonly #follow: Statement;
  readonly #gone: Statement;

  constructor(connection: Database) {
    this.#follow = connection.prepare(FOLLOW);
    this.#gone = connection.prepare("UPDATE usage SET kept_bytes = 0, end_time = COALESCE(end_time, @at), phase = CASE WHEN end_time IS NULL THEN 'ABORTED' ELSE phase END WHERE job_id = @id");
  }

  /** The job as it is from now on. One that was never started is not there. */
  follow(job: Job): void {
    if (job.startTime === null || job.task === null) return;
    const { task, phase } = job;
    const bytes = job.results.reduce((sum, { size }) => sum + (size ?? 0), 0);
    this.#follow.run({
      job_id: job.id,
      list: job.list,
      owner: job.owner,
      groups: JSON.stringify(job.groups),
      images: JSON.stringify(imagesOf(task).map(({ reference: { domain, path }, manifestDigest }) => `${domain}/${path}@${manifestDigest}`)),
      phase,
      cores: task.resources.cores,
      memory: task.resources.memory,
      start_time: job.startTime,
      end_time: job.endTime,
      result_bytes: bytes,
      kept_bytes: phase === 'ARCHIVED' ? 0 : bytes,
    });
  }

  /** The job was deleted. */
  gone(id: string, at: number): void {
    this.#gone.run({ id, at });
  }
}

/** The row as a record. Rows are written by this program alone, so the documents in them are trusted. */
export function toRecord(row: UsageRow): UsageRecord {
  return {
    jobId: row.job_id,
    list: row.list as JobListName,
    owner: row.owner,
    groups: JSON.parse(row.groups) as readonly string[],
    images: JSON.parse(row.images) as readonly string[],
    phase: row.phase as Phase,
    cores: row.cores,
    memory: row.memory,
    startTime: row.start_time,
    endTime: row.end_time,
    resultBytes: row.result_bytes,
    ...(row.meters === null || row.measured_at === null ? {} : { used: { ...totalOf(JSON.parse(row.meters) as Meters), measuredAt: row.measured_at } }),
  };
}
