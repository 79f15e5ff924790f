import type { Job, JobListName, JobSummary } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';

/** One row of the table `jobs`: what is searched by has a column, the rest is one JSON document. */
export interface JobRow {
  readonly id: string;
  readonly list: string;
  readonly revision: number;
  readonly owner: string | null;
  readonly run_id: string | null;
  readonly phase: string;
  readonly quote: number | null;
  readonly creation_time: number;
  readonly start_time: number | null;
  readonly end_time: number | null;
  readonly execution_duration: number;
  readonly destruction: number | null;
  readonly holder: string | null;
  readonly body: string;
}

type Body = Pick<Job, 'groups' | 'sharedWith' | 'parameters' | 'task' | 'decision' | 'follows' | 'results' | 'error' | 'info'>;

/** The job as a row; the holder is not the job's business and is kept beside it. */
export function toRow(job: Job): Omit<JobRow, 'holder'> {
  const { groups, sharedWith, parameters, task, decision, follows, results, error, info } = job;
  return {
    id: job.id,
    list: job.list,
    revision: job.revision,
    owner: job.owner,
    run_id: job.runId,
    phase: job.phase,
    quote: job.quote,
    creation_time: job.creationTime,
    start_time: job.startTime,
    end_time: job.endTime,
    execution_duration: job.executionDuration,
    destruction: job.destruction,
    body: JSON.stringify({ groups, ...(sharedWith === undefined ? {} : { sharedWith }), parameters, task, decision, ...(follows === undefined ? {} : { follows }), results, error, info } satisfies Body),
  };
}

/** The row as a job. Rows are written by `toRow` alone, so the document is trusted. */
export function fromRow(row: JobRow): Job {
  return {
    id: row.id,
    list: row.list as JobListName,
    revision: row.revision,
    owner: row.owner,
    runId: row.run_id,
    phase: row.phase as Phase,
    quote: row.quote,
    creationTime: row.creation_time,
    startTime: row.start_time,
    endTime: row.end_time,
    executionDuration: row.execution_duration,
    destruction: row.destruction,
    ...(JSON.parse(row.body) as Body),
  };
}

/** The columns of a summary, in SQL. */
export const SUMMARY_COLUMNS = 'id, phase, run_id, owner, creation_time';

/** The row of a list as a summary. */
export function toSummary(row: Pick<JobRow, 'id' | 'phase' | 'run_id' | 'owner' | 'creation_time'>): JobSummary {
  return { id: row.id, phase: row.phase as Phase, runId: row.run_id, owner: row.owner, creationTime: row.creation_time };
}
