import { z } from 'zod';
import { engineSchema } from './engine/engine-config.ts';
import { listenSchema } from './http/listen-config.ts';
import { parseCores, parseDuration, parseSize } from './task/units.ts';

/** A string that `parse` turns into a number; what it cannot is a problem of this path. */
function parsed(parse: (text: string) => number | undefined, form: string) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const number = parse(String(value));
    if (number !== undefined) return number;
    context.addIssue({ code: 'custom', message: `must be ${form}` });
    return z.NEVER;
  });
}

const seconds = parsed(parseDuration, 'a duration such as 30s, 5m, 12h, 7d or PT5M');
const bytes = parsed((text) => parseSize(text), 'a size with its unit such as 512M or 2G');
const cores = parsed(parseCores, 'a number of cores such as 2 or 0.5');

const bounded = (fallback: number, max: number) =>
  z.strictObject({ default: seconds.default(fallback), max: seconds.default(max) }).default({ default: fallback, max });

const HOUR = 3600;
const DAY = 24 * HOUR;

const jobsSchema = z.strictObject({
  slots: z.int().min(1).max(10_000).optional().meta({ description: 'Jobs that run at once. Default: the CPUs of the engine.' }),
  cores: cores.optional().meta({ description: 'Cores promised to all running jobs together. Default: those of the engine.' }),
  memory: bytes.optional().meta({ description: 'Memory promised to all running jobs together. Default: that of the engine.' }),
  maxCores: cores.optional().meta({ description: 'The most cores of one job. Default: all that are offered.' }),
  maxMemory: bytes.optional().meta({ description: 'The most memory of one job. Default: all that is offered.' }),
  defaultCores: cores.default(1).meta({ description: 'Cores of a job that asks for none.' }),
  defaultMemory: bytes.default(512 * 2 ** 20).meta({ description: 'Memory of a job that asks for none.' }),
  user: z.string().regex(/^[1-9]\d{0,9}:[1-9]\d{0,9}$/, 'must be uid:gid, both numeric and not 0').default('65534:65534').meta({ description: 'Who jobs run as where no rule says otherwise.' }),
  executionDuration: bounded(HOUR, DAY).meta({ description: 'Wall clock of a job. max 0 = without limit.' }),
  lifetime: bounded(7 * DAY, 30 * DAY).meta({ description: 'From creation to destruction.' }),
  archive: seconds.default(0).meta({ description: 'How long the record of a destroyed job stays, ARCHIVED.' }),
  grace: seconds.default(10).meta({ description: 'Between SIGTERM and SIGKILL.' }),
  lease: seconds.default(10).meta({ description: 'After this long without a sign of life from a gateway its jobs are taken over.' }),
  pulls: z.strictObject({ atOnce: z.int().min(1).max(100).default(3), timeout: seconds.default(1800) }).default({ atOnce: 3, timeout: 1800 }).meta({ description: 'How many images are pulled at once, and how long one may take.' }),
  images: z.strictObject({
    unused: seconds.default(30 * DAY).meta({ description: 'How long an image stays that no job uses.' }),
    bytes: bytes.optional().meta({ description: 'What they may have together: with more, the least recently used go. Default: whatever fits.' }),
  }).prefault({}).meta({ description: 'Images that the gateway has had pulled, on the disk of the engine; others are never touched.' }),
  results: z.strictObject({ bytes: bytes.default(10 * 2 ** 30), files: z.int().min(0).max(100_000).default(1000) }).default({ bytes: 10 * 2 ** 30, files: 1000 }).meta({ description: 'Kept of one job.' }),
});

const diskSchema = z.strictObject({
  keepFree: bytes.default(2 ** 30).meta({ description: 'Left free on the disk of the data folder: with less, no new jobs are taken or started.' }),
  results: bytes.optional().meta({ description: 'The results of all jobs together: with more, no new jobs are taken or started. Default: whatever fits.' }),
  store: bytes.optional().meta({ description: 'The files of the job store: if they are larger, no new jobs are taken or started. Default: whatever fits.' }),
});

/** Everything in `pratique.yaml` but the sections that other files own; unknown keys are errors. */
export const gatewaySchema = z.strictObject({
  listen: listenSchema.prefault({}),
  baseUrl: z.url({ protocol: /^https?$/ }).optional().meta({ description: 'The origin (and path) under which clients reach the gateway; every link is made from it. Default: from `listen`.' }),
  data: z.string().min(1).default('data').meta({ description: 'Folder of the store and the results; relative to this file.' }),
  log: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').meta({ description: 'Least level that is logged.' }),
  disk: diskSchema.prefault({}),
  usage: z.strictObject({ keep: seconds.refine((value) => value >= DAY, 'must be 1d at least: quotas count that far back').default(400 * DAY).meta({ description: 'For how long it is known what a job has used, from its end. 1d at least.' }) }).prefault({}).meta({ description: 'What jobs have used; `pratique usage` tells.' }),
  engine: engineSchema.prefault({}),
  jobs: jobsSchema.prefault({}),
  wait: z.strictObject({ longest: seconds.default(60), waiters: z.int().min(0).max(1_000_000).default(20_000), each: z.int().min(0).max(1_000_000).default(2_000).meta({ description: 'For how many of one caller, anonymous ones by their address. One more is answered at once.' }) }).default({ longest: 60, waiters: 20_000, each: 2_000 }).meta({ description: 'WAIT: how long an answer is held at most, and for how many clients at once.' }),
  cors: z.strictObject({ origins: z.array(z.string().min(1)).default([]) }).default({ origins: [] }).meta({ description: 'Origins of browser clients that may use the gateway; "*" = any.' }),
});
