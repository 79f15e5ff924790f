import type { Image } from '../image/image.ts';
import type { PinnedTask, Resources } from './task.ts';

/** A project of containers as judged: what an engine may run of a compose file, and nothing else of it. */
export interface PinnedProject {
  readonly type: 'project';
  /** Services that are run, each after those that it depends on. */
  readonly services: readonly PinnedService[];
  /** Networks of the job's own, by the names of the file; none of them leads out. */
  readonly networks: readonly string[];
  /** Volumes of the job's own, by the names of the file; all begin empty. */
  readonly volumes: readonly string[];
  /** Services whose end is the job's, and whose exits decide. */
  readonly main: readonly string[];
  /** Of all containers together. */
  readonly resources: Resources;
}

/** What a job runs, as judged: one container, or a project of them. */
export type PinnedWork = PinnedTask | PinnedProject;

/** Every image of it, each once. */
export function imagesOf(work: PinnedWork): readonly Image[] {
  if (work.type === 'container') return [work.image];
  return [...new Map(work.services.map(({ task }) => [task.image.manifestDigest, task.image])).values()];
}

/** Whether two are of the same images, service by service. */
export function haveSameImages(one: PinnedWork, other: PinnedWork): boolean {
  return manifestsOf(one) === manifestsOf(other);
}

/** The digest of a container's manifest; of a project a line for each service, `web sha256:…`, in order of their names. */
export function manifestsOf(work: PinnedWork): string {
  return work.type === 'container' ? work.image.manifestDigest : work.services.map(({ name, task }) => `${name} ${task.image.manifestDigest}`).sort().join('\n');
}

/** One service: its container's task, and what it shares with the others. */
export interface PinnedService {
  readonly name: string;
  /** Image by digest, command, entrypoint, variables, resources of each container, user. */
  readonly task: PinnedTask;
  /** Containers. */
  readonly replicas: number;
  readonly workingDirectory?: string;
  readonly hostname?: string;
  readonly domainName?: string;
  /** Without `CAP_`; every other one is dropped. */
  readonly capabilities: readonly string[];
  /** None = no network at all. */
  readonly networks: readonly PinnedAttachment[];
  readonly mounts: readonly PinnedMount[];
  readonly files: readonly PinnedFile[];
  /** In memory, in the folder for secrets. Absent = none. */
  readonly secrets?: readonly PinnedSecret[];
  readonly dependsOn: readonly PinnedDependency[];
  readonly healthcheck?: PinnedHealthcheck;
  /** Absent = runs once. */
  readonly restart?: PinnedRestart;
  /** `SIGTERM`, or a number; absent = the image's. */
  readonly stopSignal?: string;
  /** Milliseconds; absent = the site's. */
  readonly stopGrace?: number;
  /** Bytes of /dev/shm; absent = the site's. */
  readonly sharedMemory?: number;
  /** Absent = the site's. */
  readonly processes?: number;
  readonly openFiles?: { readonly soft: number; readonly hard: number };
  readonly sysctls: Readonly<Record<string, string>>;
  /** `name:address`. */
  readonly extraHosts: readonly string[];
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
}

export interface PinnedAttachment {
  readonly network: string;
  /** The network of that name is one of the engine's that the site offers, and not the job's own. */
  readonly external?: true;
  /** Names beside the service's own under which it is found there. */
  readonly aliases: readonly string[];
}

/** `volume`: the job's own, by its name in the file. `shared`: the engine's, offered by the site, read-only. */
export type PinnedMount =
  | { readonly kind: 'volume'; readonly volume: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'shared'; readonly volume: string; readonly target: string }
  | { readonly kind: 'anonymous'; readonly target: string; readonly readOnly?: true }
  /** `size` in bytes; absent = the site's. */
  | { readonly kind: 'tmpfs'; readonly target: string; readonly size?: number; readonly mode?: number; readonly readOnly?: true };

/** A config or secret. */
export interface PinnedFile {
  readonly path: string;
  readonly content: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A file in the folder for secrets. */
export interface PinnedSecret {
  readonly name: string;
  /** Its name there. */
  readonly file: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Where the compose file says it; absent = the value is the job's parameter `SECRET.<name>`. */
  readonly content?: string;
}

export interface PinnedDependency {
  readonly service: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  /** The service does without, where that can never be; absent = it cannot start then. */
  readonly optional?: true;
}

/** Whether a container of the service is started again after it has ended, within the job. */
export interface PinnedRestart {
  /** Also after exit code 0, where nobody waits for that. */
  readonly always: boolean;
  /** Times, for each container. */
  readonly most: number;
}

export interface PinnedHealthcheck {
  /** `CMD` or `CMD-SHELL`, and words. */
  readonly test: readonly string[];
  /** Milliseconds. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly retries: number;
}

/** What ids of jobs that run a project begin with; a UUID never does. So whoever has an id knows which kind of job it is of. */
const PROJECT_ID = 'c-';

/** The id of a job that runs a project, from an id that is unique. */
export function projectJobId(unique: string): string {
  return PROJECT_ID + unique;
}

/** Whether a job of this id runs a project. */
export function isProjectJob(jobId: string): boolean {
  return jobId.startsWith(PROJECT_ID);
}
