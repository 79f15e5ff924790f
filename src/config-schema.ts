import { z } from 'zod';
import { engineSchema } from './engine/engine-config.ts';
import { listenSchema } from './http/listen-config.ts';
import { bytes, cores, seconds } from './task/unit-schemas.ts';

const bounded = (fallback: string, max: string) =>
  z.strictObject({ default: seconds.prefault(fallback).meta({ description: 'Of a job that asks for none; never more than max.' }), max: seconds.prefault(max) }).prefault({});

/** In seconds. */
const DAY = 24 * 3600;

const jobsSchema = z.strictObject({
  slots: z.int().min(1).max(10_000).optional().meta({ description: 'Jobs that run at once. Default: the CPUs of the engine.' }),
  cores: cores.optional().meta({ description: 'Cores promised to all running jobs together. Default: those of the engine.' }),
  memory: bytes.optional().meta({ description: 'Memory promised to all running jobs together. Default: that of the engine.' }),
  maxCores: cores.optional().meta({ description: 'The most cores of one job. Default: all that are offered.' }),
  maxMemory: bytes.optional().meta({ description: 'The most memory of one job. Default: all that is offered.' }),
  defaultCores: cores.prefault(1).meta({ description: 'Cores of a job that asks for none.' }),
  defaultMemory: bytes.prefault('512M').meta({ description: 'Memory of a job that asks for none.' }),
  user: z.string().regex(/^[1-9]\d{0,9}:[1-9]\d{0,9}$/, 'must be uid:gid, both numeric and not 0').default('65534:65534').meta({ description: 'Who jobs run as where no rule says otherwise.' }),
  executionDuration: bounded('1h', '1d').meta({ description: 'Wall clock of a job. max 0 = without limit.' }),
  lifetime: bounded('7d', '30d').meta({ description: 'From creation to destruction.' }),
  archive: seconds.prefault('0s').meta({ description: 'How long the record of a destroyed job stays, ARCHIVED.' }),
  grace: seconds.prefault('10s').meta({ description: 'Between SIGTERM and SIGKILL.' }),
  lease: seconds.prefault('10s').meta({ description: 'After this long without a sign of life from a gateway its jobs are taken over.' }),
  pulls: z.strictObject({ atOnce: z.int().min(1).max(100).default(3), timeout: seconds.prefault('30m') }).prefault({}).meta({ description: 'How many images are pulled at once, and how long one may take.' }),
  images: z.strictObject({
    unused: seconds.prefault('30d').meta({ description: 'How long an image stays that no job uses.' }),
    bytes: bytes.optional().meta({ description: 'What they may have together: with more, the least recently used go. Default: whatever fits.' }),
  }).prefault({}).meta({ description: 'Images that the gateway has had pulled, on the disk of the engine; others are never touched.' }),
  results: z.strictObject({ bytes: bytes.prefault('10G'), files: z.int().min(0).max(100_000).default(1000) }).prefault({}).meta({ description: 'Kept of one job.' }),
});

const diskSchema = z.strictObject({
  keepFree: bytes.prefault('1G').meta({ description: 'Left free on the disk of the data folder: with less, no new jobs are taken or started.' }),
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
  usage: z.strictObject({ keep: seconds.refine((value) => value >= DAY, 'must be 1d at least: quotas count that far back').prefault('400d').meta({ description: 'For how long it is known what a job has used, from its end. 1d at least.' }) }).prefault({}).meta({ description: 'What jobs have used; `pratique usage` tells.' }),
  engine: engineSchema.prefault({}),
  jobs: jobsSchema.prefault({}),
  wait: z.strictObject({ longest: seconds.prefault('60s'), waiters: z.int().min(0).max(1_000_000).default(20_000), each: z.int().min(0).max(1_000_000).default(2_000).meta({ description: 'For how many of one caller, anonymous ones by their address. One more is answered at once.' }) }).prefault({}).meta({ description: 'WAIT: how long an answer is held at most, and for how many clients at once.' }),
  cors: z.strictObject({ origins: z.array(z.string().min(1)).default([]) }).default({ origins: [] }).meta({ description: 'Origins of browser clients that may use the gateway; "*" = any.' }),
});
