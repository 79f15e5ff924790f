import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { bytes } from '../task/unit-schemas.ts';

const HOST = /^(unix:\/\/\/\S+|tcp:\/\/[^\s/]+:\d{1,5})$/;

/** What a site may insist on beside what every sandbox is made of. */
export const REQUIREMENTS = ['seccomp', 'mandatory-access-control', 'user-namespaces', 'cgroup-v2', 'disk-quota', 'gpus', 'live-restore'] as const;
export type Requirement = (typeof REQUIREMENTS)[number];

const portainerSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048).meta({ description: 'Where Portainer is: https://portainer.example.org' }),
  environment: z.int().min(1).meta({ description: 'The number of the environment in which jobs run.' }),
  tokenFile: z.string().min(1).meta({ description: 'File with an access token of a Portainer user; read at the start, a line break at its end is ignored.' }),
  ca: z.string().min(1).optional().meta({ description: 'PEM file of the certificates that alone may vouch for Portainer. Default: the CAs of the system.' }),
});

/** The `engine` section of the configuration. Sizes are strings with a unit there and bytes here; unknown keys are errors. */
export const engineSchema = z
  .strictObject({
    host: z
      .string()
      .regex(HOST, 'must be unix:///path/of/socket or tcp://host:port')
      .optional()
      .meta({ description: 'Where the Docker Engine listens. Default: DOCKER_HOST, else the default socket.' }),
    certificates: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Folder with ca.pem, cert.pem and key.pem for TLS to a tcp host. Default: DOCKER_CERT_PATH.' }),
    plaintext: z
      .boolean()
      .default(false)
      .meta({ description: 'Permits a tcp host without TLS that is not this machine: whoever can reach that port is root there.' }),
    portainer: portainerSchema.optional().meta({ description: 'A Portainer in front of the engine, instead of host: jobs go through its proxy of the Docker API.' }),
    gateway: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and "-"')
      .optional()
      .meta({ description: "Names this gateway's containers and volumes. Default: a name that only its store has. Two gateways on one engine that share a name remove each other's jobs." }),
    runtime: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
      .optional()
      .meta({ description: "The engine's runtime for jobs, runsc say. Default: the engine's own default." }),
    relay: z
      .string()
      .regex(/^(?:[a-z0-9][A-Za-z0-9._:/-]{0,255}@)?sha256:[0-9a-f]{64}$/, 'must be name@sha256:… or the id of an image that is present')
      .optional()
      .meta({ description: 'An image with `nc` and `sleep`, present on the engine, by digest or id: the way to jobs that serve. Absent = no job can.' }),
    tmp: bytes.prefault('256M').meta({ description: 'Size of /tmp, in memory, charged to the job.' }),
    work: bytes.prefault('1G').meta({ description: 'Size of /work, in memory, charged to the job.' }),
    sharedMemory: bytes.prefault('64M').meta({ description: 'Size of /dev/shm, charged to the job.' }),
    processes: z.int().min(8).max(100_000).default(256).meta({ description: 'Processes and threads of one job.' }),
    openFiles: z
      .int()
      .min(64)
      .max(1_048_576)
      .default(4096)
      .meta({ description: 'Files that one process of a job can have open; not more than the engine itself may.' }),
    fileSize: bytes.prefault('10G').meta({ description: 'Largest file that a job can write.' }),
    outputBytes: bytes.prefault('64G').meta({ description: 'Bytes that a job may have below /output, holes counted: no more are read, and a job that has more is stopped.' }),
    outputQuota: z
      .boolean()
      .default(false)
      .meta({ description: "Has the engine itself hold /output to outputBytes (a project quota: its data folder on xfs, mounted with pquota); where it cannot, jobs are refused." }),
    outputLook: z.int().min(1).max(3600).default(5).meta({ description: 'Seconds between two looks at how much running jobs have below /output.' }),
    logSize: bytes.prefault('10M').meta({ description: 'Log that the engine keeps of one job; older lines go first. At least 1M.' }).refine(
      (bytes) => bytes >= 2 ** 20, 'must be at least 1M',
    ),
    stopGrace: z.int().min(0).max(600).default(10).meta({ description: 'Seconds between SIGTERM and SIGKILL when nobody says.' }),
    hostHasNoSwap: z
      .boolean()
      .default(false)
      .meta({ description: 'Says that the host has no swap, for engines that cannot limit it; without either, jobs are refused.' }),
    withoutSeccomp: z
      .boolean()
      .default(false)
      .meta({ description: 'Says that jobs may run with every system call of the kernel open to them, on an engine that filters none; without it, jobs are refused there.' }),
    networks: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and "-"').meta({ description: "What rules call it (run.network)." }),
          egress: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'must be the name of a container').meta({ description: 'The container that is all that jobs reach: `pratique egress`, with the list of hosts that it lets through.' }),
          port: z.int().min(1).max(65_535).default(3128).meta({ description: 'Where it listens.' }),
        }),
      )
      .max(100)
      .default([])
      .refine((profiles) => new Set(profiles.map(({ name }) => name)).size === profiles.length, 'a name is given twice')
      .meta({ description: 'Network profiles. A job under a rule that names one gets a network of its own, in which there is only that container.' }),
    require: z.array(z.enum(REQUIREMENTS)).default([]).meta({ description: 'What the engine must have, or jobs are refused with that reason.' }),
    answerWithin: z.int().min(1).max(3600).default(120).meta({ description: 'Seconds in which the engine must answer a call.' }),
  })
  .refine(({ portainer, host, certificates }) => portainer === undefined || (host === undefined && certificates === undefined), 'has portainer, or host and certificates, not both')
  .refine(({ require, withoutSeccomp }) => !(withoutSeccomp && require.includes('seccomp')), 'has withoutSeccomp, or requires seccomp, not both')
  .meta({ description: 'The Docker Engine that runs the jobs, and the sandbox of every job.' });

/** The parsed `engine` section: everything set, sizes in bytes, times in seconds. */
export type EngineConfig = z.output<typeof engineSchema>;

export type NetworkProfile = EngineConfig['networks'][number];

/** The same with the path of every file absolute, relative ones being relative to `directory`. */
export function resolveEnginePaths<E extends Pick<EngineConfig, 'certificates' | 'portainer'>>(engine: E, directory: string): E {
  const absolute = (file: string): string => (isAbsolute(file) ? file : resolve(directory, file));
  const { certificates, portainer } = engine;
  return {
    ...engine,
    ...(certificates === undefined ? {} : { certificates: absolute(certificates) }),
    ...(portainer === undefined ? {} : { portainer: { ...portainer, tokenFile: absolute(portainer.tokenFile), ...(portainer.ca === undefined ? {} : { ca: absolute(portainer.ca) }) } }),
  };
}

/** What a job's container gets beside its task: the part of the configuration that goes into every container. */
export type Sandbox = Pick<
  EngineConfig,
  'runtime' | 'tmp' | 'work' | 'sharedMemory' | 'processes' | 'openFiles' | 'fileSize' | 'logSize' | 'stopGrace' | 'hostHasNoSwap' | 'outputBytes' | 'outputQuota'
>;
