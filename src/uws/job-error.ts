import type { Job } from '../job/job.ts';

/** What `{job}/error` says, or undefined where there is nothing to say: then the document has no errorSummary either. */
export function errorText(job: Job): string | undefined {
  if (job.error === null) return undefined;
  return job.error.detail ?? job.error.message;
}
