import { z } from 'zod';
import { bytes, cores, seconds } from '../task/unit-schemas.ts';

/** Longest type identifier that is compared (characters). */
export const MAX_TYPE = 2048;

const typeName = z
  .string()
  .min(1)
  .max(MAX_TYPE)
  .regex(/^\S+$/, 'a type is an identifier without blanks, such as uri://jupyter-notebook');
/** Member names become XML elements. */
const member = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must begin with a letter and have letters, digits, "_" and "-"');
const words = z.array(z.string().min(1).max(512)).min(1).max(1000);
const httpUrl = z.url({ protocol: /^https?$/ }).max(2048);
const infoValue = z.union([z.string().max(4096), z.number(), z.boolean(), z.array(z.string().max(4096)).max(1000)]);

const memberRule = z
  .strictObject({
    required: z.boolean().default(false).meta({ description: 'A task that does not say it is refused.' }),
    oneOf: words.optional().meta({ description: 'Every value that a task names must be one of these; they are announced in serviceinfo.' }),
    patterns: words.optional().meta({ description: 'Every value must match one of these, "*" standing for any characters.' }),
  })
  .meta({ description: 'What a member of taskinfo may be.' });

const dataRule = z
  .strictObject({
    patterns: words.meta({ description: 'References that are reached, "*" standing for any characters: vos://vo.example.org!space/*, https://data.example.org/*, s3://bucket/*, s3+https://s3.example.org/bucket/*, rucio://RSE/scope:*.' }),
    groups: words.optional().meta({ description: 'Only for callers in one of these.' }),
  })
  .meta({ description: 'Data that tasks can read there (note, section 6).' });

const composeHost = z
  .strictObject({
    host: z.string().regex(/^[a-z0-9.-]+(:\d{1,5})?$/, 'must be a host in lower case, with its port unless that is 443').meta({ description: 'As in URLs: git.example.org, files.example.org:8443. Compared exactly.' }),
    insecure: z.boolean().default(false).meta({ description: 'Plain http may be spoken with it.' }),
    internal: z.boolean().default(false).meta({ description: 'It may have a private or loopback address.' }),
  })
  .meta({ description: 'A host from which compose files are fetched.' });

const health = z
  .strictObject({
    url: httpUrl.optional().meta({ description: 'Asked with GET; absent = the endpoint. Any answer below 500 is healthy.' }),
    timeout: seconds.prefault('3s'),
    every: seconds.prefault('30s').meta({ description: 'For how long an answer counts.' }),
  })
  .meta({ description: 'Offered only while it answers.' });

const service = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a name of 1 to 64 letters, digits, ".", "_" or "-"'),
    description: z.string().min(1).max(1000).optional(),
    tasktypes: z.array(typeName).min(1).max(50).meta({ description: 'The task types it takes, compared exactly.' }),
    servicetype: typeName.meta({ description: 'Tells the client how to talk to the endpoint.' }),
    endpoint: httpUrl,
    info: z.record(member, infoValue).optional().meta({ description: 'More members of serviceinfo.' }),
    groups: words.optional().meta({ description: 'Only for callers in one of these.' }),
    taskinfo: z.record(member, memberRule).optional().meta({ description: 'Rules over the members of taskinfo.' }),
    resources: z
      .strictObject({
        cores: cores.optional(),
        memory: bytes.optional(),
        store: bytes.optional(),
        duration: seconds.optional(),
        gpus: z.int().min(1).max(999).optional(),
        startup: seconds.optional().meta({ description: 'Within which it starts as a rule.' }),
      })
      .optional()
      .meta({ description: 'The most that it gives one task; a task that needs more, or something that is not named here, is refused.' }),
    health: health.optional(),
    data: z.array(dataRule).max(1000).default([]).meta({ description: 'Data that its tasks can read; a task that needs other data is refused.' }),
  })
  .refine(({ info }) => info === undefined || !Object.hasOwn(info, 'endpoint'), { path: ['info', 'endpoint'], message: 'is said in endpoint already' })
  .meta({ description: 'A platform that others run and this planner speaks for.' });

const peer = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a name of 1 to 64 letters, digits, ".", "_" or "-"'),
    url: httpUrl.meta({ description: 'Its /accepts.' }),
    tasktypes: z.array(typeName).min(1).max(200).optional().meta({ description: 'Forward only questions of these types. Absent = all.' }),
    timeout: seconds.prefault('5s'),
  })
  .meta({ description: 'Another Execution Planner to which questions are forwarded, without the credentials of who asks.' });

const record = z
  .strictObject({
    identifier: z.string().regex(/^ivo:\/\/[A-Za-z0-9][A-Za-z0-9_.!~*'()+=-]{2,}(\/[A-Za-z0-9_.!~*'()+=-]+)*$/, 'must be an IVOA identifier such as ivo://example.org/pratique'),
    title: z.string().min(1).max(500),
    shortName: z.string().min(1).max(16).optional(),
    publisher: z.string().min(1).max(500),
    creator: z.string().min(1).max(500).optional(),
    contact: z.strictObject({ name: z.string().min(1).max(500), email: z.email().optional() }),
    created: z.iso.date().meta({ description: 'When this record was first published, YYYY-MM-DD.' }),
    subjects: z.array(z.string().min(1).max(200)).min(1).max(50).default(['virtual-observatory']),
    description: z.string().min(1).max(10_000),
    referenceUrl: httpUrl.meta({ description: 'Where a person reads more.' }),
  })
  .meta({ description: 'What the VOResource record at /record says; without it there is none.' });

/** The section `planner` of the configuration. */
export const plannerSchema = z
  .strictObject({
    standAlone: z.boolean().default(false).meta({ description: 'Run nothing here: speak for services and peers only. No engine, registry or policy is needed, there are no job lists, and nothing is written.' }),
    services: z
      .array(service)
      .max(1000)
      .refine((services) => new Set(services.map(({ name }) => name)).size === services.length, 'two services have the same name')
      .default([])
      .meta({ description: 'Platforms that this planner speaks for, in the order in which they are offered.' }),
    data: z.array(dataRule).max(1000).default([]).meta({ description: "Data that this gateway's own jobs can read. Without it, a task that needs data is refused." }),
    peers: z.array(peer).max(50).default([]),
    record: record.optional(),
    compose: z.boolean().default(true).meta({ description: 'Whether /accepts offers the list of compose jobs: for compose files, and beside docker-uws for containers.' }),
    composeHosts: z.array(composeHost).max(100).default([]).meta({ description: 'Where compose files may be that a question names by URL (note, section 4.2); redirects included. Without it nothing is fetched.' }),
  })
  .default({ standAlone: false, services: [], data: [], peers: [], compose: true, composeHosts: [] })
  .meta({ description: 'The Execution Planner.' });

export type PlannerConfig = z.output<typeof plannerSchema>;
export type ServiceConfig = PlannerConfig['services'][number];
export type PeerConfig = PlannerConfig['peers'][number];
export type DataRule = z.output<typeof dataRule>;
export type MemberRule = z.output<typeof memberRule>;
export type ComposeHost = z.output<typeof composeHost>;
export type RecordConfig = z.output<typeof record>;
