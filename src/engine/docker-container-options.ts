import type { PinnedTask } from '../task/task.ts';
import { NO_RESOLVER } from './docker-internal-network.ts';
import type { JobNetwork } from './docker-job-network.ts';
import { secretsMount } from './docker-secrets.ts';
import { labelsOf, LABELS, type DockerNames, type JobNames } from './docker-names.ts';
import type { Sandbox } from './engine-config.ts';
import { EngineRefused } from './engine.ts';

/** The body of `POST /containers/create`: everything that is set, by name. */
export interface ContainerOptions {
  readonly Hostname: string;
  readonly User: string;
  readonly Image: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal: string;
  readonly StopTimeout: number;
  readonly Healthcheck: { readonly Test: readonly ['NONE'] };
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** What is the same in every container, and what no task, image or rule can change. Whatever is absent is off. */
const SANDBOX = {
  NetworkMode: 'none',
  ReadonlyRootfs: true,
  CapDrop: ['ALL'],
  // The engine's own seccomp profile (and AppArmor's, where there is one) applies because none is named here.
  SecurityOpt: ['no-new-privileges'],
  IpcMode: 'private',
  CgroupnsMode: 'private',
  RestartPolicy: { Name: 'no' },
  // Reaps orphans and passes signals on: a job's main process need not be a good process 1.
  Init: true,
} as const;

/** How an engine is asked for graphics processors; how many is the task's. */
const GPU_REQUEST = { Driver: 'nvidia', Capabilities: [['gpu', 'compute', 'utility']] } as const;
/** Variables by which a runtime for graphics processors hands them to whoever sets them. */
const GPU_VARIABLES = ['NVIDIA_VISIBLE_DEVICES', 'CUDA_VERSION'];
/** Variables by which it hands on more of the host than the processors that were granted: network adapters, channels to other hosts, how the processors are divided. */
const GPU_EXTRAS = ['NVIDIA_MIG_CONFIG_DEVICES', 'NVIDIA_MIG_MONITOR_DEVICES', 'NVIDIA_IMEX_CHANNELS', 'NVIDIA_GDS', 'NVIDIA_MOFED', 'NVIDIA_GDRCOPY', 'NVIDIA_NVSWITCH'];

const MOUNTS_OF_OURS = new Set(['/tmp', '/work', '/output']);
/** Below these an image's volume would cover what the sandbox relies on, or reach into what is collected. */
const NO_VOLUMES = /^\/(?:proc|sys|dev|output)(?:\/|$)/;
const CLEAN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{C},:]+)+$/u;
const MOST_VOLUMES = 32;
const USER = /^(\d{1,10}):(\d{1,10})$/;
const LARGEST_ID = 2 ** 31 - 1;

/**
 * The container of a judged task: a constant, and named fields on top. `imageId` is the engine's id of the verified image.
 * `secrets`: the names where it gets a place for some. Pure. Throws EngineRefused for a task that cannot be held to its limits or has nothing to run.
 */
export function containerOptions(names: DockerNames, gateway: string, jobId: string, task: PinnedTask, imageId: string, sandbox: Sandbox, network?: JobNetwork, secrets?: JobNames): ContainerOptions {
  const { config } = task.image;
  const runtime = task.relaxed?.runtime ?? sandbox.runtime;
  const command = task.command.length > 0 ? task.command : config.command;
  if (config.entrypoint.length + command.length === 0) throw new EngineRefused('the image has no command, and the task gives none');
  return {
    Hostname: 'job',
    User: task.user,
    Image: imageId,
    Entrypoint: config.entrypoint,
    Cmd: command,
    Env: environmentOf(task, network),
    WorkingDir: config.workingDirectory || '/',
    Labels: {
      // The engine hands an image's labels on to the container, where other programs of the host may act on them.
      ...Object.fromEntries(Object.keys(config.labels).map((name) => [name, ''])),
      ...labelsOf(gateway, jobId, 'job'),
      [LABELS.manifest]: task.image.manifestDigest,
      [LABELS.config]: task.image.configDigest,
    },
    StopSignal: config.stopSignal || 'SIGTERM',
    StopTimeout: sandbox.stopGrace,
    // An image's healthcheck would run further processes for as long as the job lasts.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...SANDBOX,
      ...relaxations(task, sandbox),
      ...(network === undefined ? {} : { NetworkMode: network.name, Dns: [NO_RESOLVER] }),
      ...(runtime === undefined ? {} : { Runtime: runtime }),
      ...limitsOf(task, sandbox),
      Tmpfs: temporaryFolders(task, sandbox),
      Mounts: [{ Type: 'volume', Source: names.output, Target: '/output', VolumeOptions: { NoCopy: true, Labels: labelsOf(gateway, jobId, 'output'), ...outputQuota(sandbox) } }, ...(secrets === undefined ? [] : [secretsMount(gateway, jobId, secrets, true)])],
      LogConfig: {
        Type: 'local',
        Config: { 'max-size': String(Math.floor(sandbox.logSize / 2)), 'max-file': '2', compress: 'false' },
      },
    },
  };
}

/** What makes the engine hold an output volume to its size; an engine that cannot refuses to make it. */
export function outputQuota({ outputBytes, outputQuota: held }: Pick<Sandbox, 'outputBytes' | 'outputQuota'>): { readonly DriverConfig?: object } {
  return held ? { DriverConfig: { Name: 'local', Options: { size: String(outputBytes) } } } : {};
}

/** What the rule gives beyond the constant, field by field; a new relaxation is a new field here. */
function relaxations({ relaxed = {} }: PinnedTask, sandbox: Sandbox): Record<string, unknown> {
  return {
    ...(relaxed.writableRoot === undefined ? {} : { ReadonlyRootfs: false, ...(sandbox.outputQuota ? { StorageOpt: { size: String(sandbox.outputBytes) } } : {}) }),
    ...(relaxed.gpus === undefined ? {} : { DeviceRequests: [{ ...GPU_REQUEST, Count: relaxed.gpus }] }),
    ...(relaxed.capabilities === undefined ? {} : { CapAdd: relaxed.capabilities.map((name) => `CAP_${name}`) }),
  };
}

/** The image's variables, the task's on top, and a HOME that can be written, since the root file system cannot. */
function environmentOf(task: PinnedTask, network: JobNetwork | undefined): string[] {
  const variables = new Map<string, string>([['HOME', '/work']]);
  for (const line of task.image.config.env) {
    const at = line.indexOf('=');
    if (at > 0) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  // after the image's: a proxy of where it was built would not be reached
  for (const [name, value] of Object.entries(network === undefined ? {} : proxyVariables(network))) variables.set(name, value);
  for (const [name, value] of Object.entries(task.env)) variables.set(name, value);
  for (const [name, value] of Object.entries(gpuVariables(task.relaxed?.gpus, variables))) variables.set(name, value);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** What is said of graphics processors in the place of what image and task say. */
function gpuVariables(gpus: number | undefined, variables: ReadonlyMap<string, string>): Record<string, string> {
  // where that runtime is the engine's default, the variable alone would give them
  if (gpus === undefined) return GPU_VARIABLES.some((name) => variables.has(name)) ? { NVIDIA_VISIBLE_DEVICES: 'void' } : {};
  return {
    // the engine adds these two behind the others: two of one name have to say the same, for nobody knows which is read
    NVIDIA_VISIBLE_DEVICES: Array.from({ length: gpus }, (_, i) => String(i)).join(','),
    NVIDIA_DRIVER_CAPABILITIES: 'compute,utility',
    ...Object.fromEntries(GPU_EXTRAS.filter((name) => variables.has(name)).map((name) => [name, ''])),
  };
}

/** In both spellings, for programs heed one or the other. */
function proxyVariables({ proxy }: JobNetwork): Record<string, string> {
  const variables = { http_proxy: proxy, https_proxy: proxy, no_proxy: 'localhost,127.0.0.1' };
  return { ...variables, ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value])) };
}

function limitsOf(task: PinnedTask, sandbox: Sandbox): Record<string, unknown> {
  const { cores, memory } = task.resources;
  // Zero means "no limit" to the engine.
  if (!(cores >= 0.01 && cores <= 100_000)) throw new EngineRefused('a job needs at least 0.01 cores');
  if (!(Number.isSafeInteger(memory) && memory > 0)) throw new EngineRefused('a job needs memory');
  return {
    Memory: memory,
    MemorySwap: memory,
    NanoCpus: Math.round(cores * 1e9),
    PidsLimit: sandbox.processes,
    ShmSize: Math.min(sandbox.sharedMemory, memory),
    Ulimits: [
      { Name: 'nofile', Soft: Math.min(1024, sandbox.openFiles), Hard: sandbox.openFiles },
      // 1 and not 0: with 0 the kernel still runs the host's core dump handler; 1 writes nothing and runs nothing.
      { Name: 'core', Soft: 1, Hard: 1 },
      { Name: 'fsize', Soft: sandbox.fileSize, Hard: sandbox.fileSize },
    ],
  };
}

/** /tmp, /work and the volumes that the image declares, which would otherwise be unlimited folders on the host's disk. */
function temporaryFolders(task: PinnedTask, sandbox: Sandbox): Record<string, string> {
  const user = USER.exec(task.user);
  if (!user || Number(user[1]) > LARGEST_ID || Number(user[2]) > LARGEST_ID) throw new EngineRefused('a job runs as uid:gid, both numbers');
  const { memory } = task.resources;
  const size = (bytes: number): string => `size=${String(Math.min(bytes, memory))}`;
  const scratch = `rw,nosuid,nodev,noexec,${size(sandbox.tmp)},mode=1777`;
  const folders: Record<string, string> = {
    '/tmp': scratch,
    '/work': `rw,nosuid,nodev,exec,${size(sandbox.work)},mode=0700,uid=${user[1] ?? ''},gid=${user[2] ?? ''}`,
  };
  const volumes = task.image.config.volumes.map((path) => path.replace(/(?<=.)\/+$/, '')).filter((path) => !MOUNTS_OF_OURS.has(path));
  if (volumes.length > MOST_VOLUMES) throw new EngineRefused(`the image declares more than ${String(MOST_VOLUMES)} volumes`);
  for (const path of volumes) {
    if (!CLEAN_PATH.test(path) || NO_VOLUMES.test(path)) throw new EngineRefused('the image declares a volume at a path where none may be');
    folders[path] = scratch;
  }
  return folders;
}
