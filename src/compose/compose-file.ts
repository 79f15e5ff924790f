import type { Place } from './compose-node.ts';

/** A value, and where the file says it. */
export interface Said<T> extends Place {
  readonly value: T;
}

/** A file as Compose would understand it, closed: what has no member here is in no file that could run. */
export interface ComposeFile {
  readonly services: readonly ComposeService[];
  readonly networks: ReadonlyMap<string, ComposeNetwork>;
  readonly volumes: ReadonlyMap<string, ComposeVolume>;
  readonly configs: ReadonlyMap<string, ComposeContent>;
  readonly secrets: ReadonlyMap<string, ComposeContent>;
}

/** One of the top-level `configs` or `secrets`. */
export interface ComposeContent extends Place {
  readonly content?: Said<string>;
  /** Where it says that its value is not in the file: of a secret, that it is a parameter of the job. */
  readonly external?: Place;
  /** Whether it would come from somewhere else, for which there is no member here. */
  readonly elsewhere: boolean;
}

export interface ComposeNetwork extends Place {
  /** An existing network of that name; absent = one of the job's own. */
  readonly external?: Said<string>;
  readonly driver?: Said<string>;
  readonly internal: boolean;
  /** Whether an address range is asked for. */
  readonly addresses: boolean;
}

export interface ComposeVolume extends Place {
  /** An existing volume of that name; absent = one of the job's own. */
  readonly external?: Said<string>;
  readonly driver?: Said<string>;
}

/** One service. Lists are empty, and members absent, where the file says nothing. */
export interface ComposeService extends Place {
  readonly name: string;
  readonly image?: Said<string>;
  readonly command?: Said<readonly string[]>;
  readonly entrypoint?: Said<readonly string[]>;
  /** null = named without a value. */
  readonly environment: ReadonlyMap<string, Said<string | null>>;
  readonly workingDirectory?: Said<string>;
  readonly user?: Said<string>;
  readonly hostname?: Said<string>;
  readonly domainName?: Said<string>;
  readonly platform?: Said<string>;
  readonly capabilitiesAdded: readonly Said<string>[];
  readonly capabilitiesDropped: readonly Said<string>[];
  readonly securityOptions: readonly Said<string>[];
  readonly cgroup?: Said<string>;
  readonly ipc?: Said<string>;
  readonly pid?: Said<string>;
  readonly networkMode?: Said<string>;
  /** Absent = the default network. */
  readonly networks?: readonly ServiceNetwork[];
  readonly links: readonly Said<string>[];
  readonly expose: readonly Said<string>[];
  readonly ports: readonly ServicePort[];
  readonly extraHosts: readonly Said<string>[];
  readonly dns: readonly Said<string>[];
  readonly dnsOptions: readonly Said<string>[];
  readonly dnsSearch: readonly Said<string>[];
  readonly sysctls: ReadonlyMap<string, Said<string | null>>;
  readonly mounts: readonly ServiceMount[];
  readonly files: readonly ServiceFile[];
  readonly dependsOn: readonly Dependency[];
  readonly healthcheck?: ServiceHealthcheck;
  readonly labels: ReadonlyMap<string, Said<string | null>>;
  readonly profiles: readonly Said<string>[];
  readonly replicas?: Said<number>;
  readonly scale?: Said<number>;
  readonly readOnly?: Said<boolean>;
  readonly init?: Said<boolean>;
  readonly tty?: Said<boolean>;
  readonly stdinOpen?: Said<boolean>;
  readonly restart?: Said<string>;
  readonly stopSignal?: Said<string>;
  /** Milliseconds. */
  readonly stopGracePeriod?: Said<number>;
  readonly gpus: readonly Place[];
  readonly resources: ServiceResources;
  readonly ulimits: readonly Ulimit[];
}

export interface ServiceNetwork extends Place {
  readonly name: string;
  readonly aliases: readonly Said<string>[];
}

export interface ServicePort extends Place {
  /** Port of the container; of a range its first. */
  readonly target: number;
  readonly lastTarget: number;
  readonly protocol: string;
  /** As written: a port or range of the host; '' = any that is free. */
  readonly published: string;
  readonly hostAddress: string;
  /** `ingress`, or `host` in a swarm. */
  readonly mode: string;
}

/** One entry of `volumes` or `tmpfs`, whatever its syntax. */
export interface ServiceMount extends Place {
  readonly type: 'volume' | 'bind' | 'tmpfs' | 'npipe' | 'cluster' | 'image';
  /** '' = none: an anonymous volume. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Bytes of a tmpfs; absent = not said. */
  readonly size?: number;
  /** Mode of a tmpfs. */
  readonly mode?: number;
  /** Words of the short syntax, and keys of the long one, that have no member here. */
  readonly options: readonly string[];
}

/** One use of a config or secret. */
export interface ServiceFile extends Place {
  readonly kind: 'config' | 'secret';
  readonly source: string;
  /** Absolute path; absent = the default one. */
  readonly target?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

export interface Dependency extends Place {
  readonly service: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  /** Whether the service cannot run without it. */
  readonly required: boolean;
}

export interface ServiceHealthcheck extends Place {
  /** `NONE`, or `CMD` or `CMD-SHELL` and words; empty = the image's own test. */
  readonly test: readonly string[];
  /** Milliseconds. */
  readonly interval?: Said<number>;
  readonly timeout?: Said<number>;
  readonly startPeriod?: Said<number>;
  readonly startInterval?: Said<number>;
  readonly retries?: Said<number>;
}

/** What a service asks for; of several ways to say one thing, each as it is said. Sizes in bytes. */
export interface ServiceResources {
  /** cpus, deploy.resources.limits.cpus, cpu_count, cpu_quota/cpu_period, all in cores. */
  readonly cores: readonly Said<number>[];
  readonly reservedCores: readonly Said<number>[];
  readonly memory: readonly Said<number>[];
  readonly reservedMemory: readonly Said<number>[];
  /** memswap_limit. */
  readonly memoryAndSwap?: Said<number>;
  readonly swappiness?: Said<number>;
  readonly processes: readonly Said<number>[];
  readonly sharedMemory?: Said<number>;
  /** cpu_shares. */
  readonly shares?: Said<number>;
  /** cpu_percent. */
  readonly percent?: Said<number>;
}

export interface Ulimit extends Place {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Where a config or secret is put (Compose Specification, 05-services). */
export function targetOf({ kind, source, target }: ServiceFile): string {
  if (kind === 'config') return target ?? `/${source}`;
  return target?.startsWith('/') === true ? target : `/run/secrets/${target ?? source}`;
}
