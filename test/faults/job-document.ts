/** A job's JSON document, as far as the harness reads it. */
export interface JobDocument {
  readonly jobId: string;
  readonly runId: string | null;
  readonly phase: string;
  readonly creationTime: string;
  readonly startTime: string | null;
  readonly endTime: string | null;
  readonly results: readonly { readonly id: string; readonly href: string; readonly size: number | null; readonly digest?: string }[];
  readonly errorSummary: { readonly type: string; readonly message: string } | null;
  readonly jobInfo: Readonly<Record<string, unknown>> | null;
}

export const LAST_PHASES: ReadonlySet<string> = new Set(['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED']);
