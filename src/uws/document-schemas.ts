import { z } from 'zod';
import { PHASES } from '../job/phase.ts';

const instant = z.iso.datetime({ precision: 3 }).meta({ description: 'UTC, to the millisecond' });
const parameterValue = z.union([z.string(), z.strictObject({ href: z.url(), byReference: z.literal(true) }), z.strictObject({ secret: z.literal(true) })]);

const phase = z.enum(PHASES).meta({ description: 'one of the ten phases of UWS 1.1' });

const resultSchema = z.strictObject({
  id: z.string().meta({ description: 'stdout, stderr, or the path of a file below /output' }),
  href: z.url(),
  mimeType: z.string(),
  size: z.int().min(0).nullable().meta({ description: 'bytes; null while the job still writes it' }),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/).optional(),
});

/** The parameters of a job in JSON. */
export const parametersSchema = z.record(z.string(), z.union([parameterValue, z.array(parameterValue)]));

/** The results of a job in JSON. */
export const resultsSchema = z.array(resultSchema);

/** The job document in JSON (uws.md 4.2): every member is always there, null where XML has nil. */
export const jobSchema = z.strictObject({
  version: z.literal('1.1'),
  jobId: z.string(),
  runId: z.string().nullable(),
  ownerId: z.string().nullable(),
  phase,
  quote: instant.nullable().meta({ description: 'the instant at which the job is predicted to be over' }),
  creationTime: instant,
  startTime: instant.nullable(),
  endTime: instant.nullable(),
  executionDuration: z.int().min(0).max(2 ** 31 - 1).meta({ description: 'seconds of wall clock; 0 = without limit' }),
  destruction: instant.nullable(),
  parameters: parametersSchema,
  results: resultsSchema,
  errorSummary: z.strictObject({ type: z.enum(['transient', 'fatal']), hasDetail: z.boolean(), message: z.string() }).nullable(),
  jobInfo: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])).meta({ description: 'what the gateway knows besides: exit code, image digest, rule and base, progress' }),
});

/** The job list in JSON. */
export const jobListSchema = z.strictObject({
  version: z.literal('1.1'),
  jobs: z.array(z.strictObject({ jobId: z.string(), href: z.url(), phase, runId: z.string().nullable(), ownerId: z.string().nullable(), creationTime: instant })),
});
