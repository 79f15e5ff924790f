import type { PinnedProject, PinnedService } from '../task/project.ts';
import type { PinnedTask } from '../task/task.ts';
import { containerOptions, type ContainerOptions } from './docker-container-options.ts';
import { NO_RESOLVER } from './docker-internal-network.ts';
import { secretsMount, type SecretsMount } from './docker-secrets.ts';
import { type ProjectNames, SERVICE_LABELS, type ServiceContainer } from './docker-project-names.ts';
import type { Sandbox } from './engine-config.ts';
import { EngineRefused } from './engine.ts';
import { SECRETS_FOLDER } from '../task/secret-files.ts';

/** The body of `POST /containers/create` for a container of a project. */
export interface ServiceOptions extends Omit<ContainerOptions, 'Healthcheck'> {
  readonly Domainname: string;
  readonly Healthcheck: { readonly Test: readonly string[]; readonly Interval?: number; readonly Timeout?: number; readonly StartPeriod?: number; readonly Retries?: number };
  readonly NetworkingConfig: { readonly EndpointsConfig: Readonly<Record<string, Endpoint>> };
}

/** How a container is in a network. */
export interface Endpoint {
  readonly Aliases: readonly string[];
}

interface Mount {
  readonly Type: 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly?: true;
  readonly VolumeOptions: { readonly NoCopy: true; readonly Labels?: Readonly<Record<string, string>> };
}

const NANOSECONDS = 1_000_000;
/** Characters of a service's name before the number of a container: both are within the 63 of a host name. */
const LONGEST_STEM = 50;
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * The container of a service: the sandbox of every job, and on top what the judged project says, member by member. `imageId` is
 * the engine's id of the verified image, or of the one that was made of it with the service's files. Pure. Throws EngineRefused.
 */
export function serviceOptions(container: ServiceContainer, project: PinnedProject, names: ProjectNames, imageId: string, sandbox: Sandbox, jobId: string): ServiceOptions {
  const { service, plan } = container;
  const base = containerOptions(container.names, names.gateway, jobId, startOf(service.task), imageId, sandbox);
  const [first] = endpointsOf(service, project, names);
  return {
    ...base,
    Hostname: hostnameOf(container, project, base.Hostname),
    Domainname: service.domainName ?? '',
    WorkingDir: service.workingDirectory ?? base.WorkingDir,
    Labels: { ...base.Labels, ...names.labels('service'), [SERVICE_LABELS.service]: service.name, [SERVICE_LABELS.plan]: JSON.stringify(plan) },
    StopSignal: service.stopSignal ?? base.StopSignal,
    StopTimeout: plan.grace ?? base.StopTimeout,
    Healthcheck: healthcheckOf(service),
    HostConfig: {
      ...base.HostConfig,
      ...networkOf(service, project, names),
      ...(service.capabilities.length === 0 ? {} : { CapAdd: service.capabilities.map((name) => `CAP_${name}`) }),
      ...(Object.keys(service.sysctls).length === 0 ? {} : { Sysctls: service.sysctls }),
      ...limitsOf(service, base, sandbox),
      Tmpfs: temporaryFolders(service, base, sandbox),
      Mounts: mountsOf(container, project, names, base),
    },
    NetworkingConfig: { EndpointsConfig: first === undefined ? {} : { [first.network]: first.endpoint } },
  };
}

/**
 * The name that a container gives itself, under which its networks find it too: that of its service, where it is the only one. Of several
 * each has its own, for under its own name a container finds nobody but itself. Never a name of another service.
 */
function hostnameOf({ plan, service }: ServiceContainer, project: PinnedProject, otherwise: string): string {
  if (service.hostname !== undefined) return service.hostname;
  const isName = HOST_NAME.test(service.name);
  if (isName && service.replicas === 1) return service.name;
  const names = project.services.flatMap(({ name, hostname = name, networks }) => [name, hostname, ...networks.flatMap(({ aliases }) => aliases)]);
  const taken = new Set(names.map((name) => name.toLowerCase()));
  let name = isName ? `${service.name.slice(0, LONGEST_STEM)}-${String(plan.replica)}` : `${otherwise}-${String(plan.index + 1)}`;
  while (taken.has(name.toLowerCase())) name += 'x';
  return name;
}

/** The networks of a service by their names on the engine; a container is made in the first, and joins the others before it starts. */
export function endpointsOf(service: PinnedService, project: PinnedProject, names: ProjectNames): readonly { readonly network: string; readonly endpoint: Endpoint }[] {
  return service.networks.map(({ network, external, aliases }) => {
    const index = project.networks.indexOf(network);
    if (external === undefined && index === -1) throw new EngineRefused('a service is in a network that the project does not have');
    return { network: external === true ? network : names.network(index), endpoint: { Aliases: [service.name, ...aliases] } };
  });
}

/** An entrypoint of the service's takes the image's command away with the image's entrypoint. */
function startOf(task: PinnedTask): PinnedTask {
  if (task.entrypoint === undefined) return task;
  return { ...task, image: { ...task.image, config: { ...task.image.config, entrypoint: task.entrypoint, command: [] } } };
}

function networkOf(service: PinnedService, project: PinnedProject, names: ProjectNames): Record<string, unknown> {
  const [first] = endpointsOf(service, project, names);
  const hosts = service.extraHosts.length === 0 ? {} : { ExtraHosts: service.extraHosts };
  // its own loopback can have names there too
  if (first === undefined) return { NetworkMode: 'none', ...hosts };
  const outside = service.networks.some(({ external }) => external === true);
  const servers = service.dns.length > 0 || outside ? service.dns : [NO_RESOLVER];
  return {
    NetworkMode: first.network,
    ...(servers.length === 0 ? {} : { Dns: servers }),
    ...(service.dnsOptions.length === 0 ? {} : { DnsOptions: service.dnsOptions }),
    ...(service.dnsSearch.length === 0 ? {} : { DnsSearch: service.dnsSearch }),
    ...hosts,
  };
}

function healthcheckOf({ healthcheck }: PinnedService): ServiceOptions['Healthcheck'] {
  if (healthcheck === undefined) return { Test: ['NONE'] };
  const nanoseconds = (milliseconds: number): number => Math.round(milliseconds * NANOSECONDS);
  return {
    Test: healthcheck.test,
    Interval: nanoseconds(healthcheck.interval),
    Timeout: nanoseconds(healthcheck.timeout),
    StartPeriod: nanoseconds(healthcheck.startPeriod),
    Retries: healthcheck.retries,
  };
}

function limitsOf(service: PinnedService, base: ContainerOptions, sandbox: Sandbox): Record<string, unknown> {
  const { openFiles, processes, sharedMemory, task } = service;
  const ulimits = base.HostConfig['Ulimits'] as readonly { readonly Name: string }[];
  return {
    PidsLimit: Math.min(processes ?? sandbox.processes, sandbox.processes),
    // Zero is the default to Compose; to the engine it would be another one than the site's.
    ShmSize: Math.max(1, Math.min(sharedMemory || sandbox.sharedMemory, task.resources.memory)),
    ...(openFiles === undefined ? {} : { Ulimits: [{ Name: 'nofile', Soft: openFiles.soft, Hard: openFiles.hard }, ...ulimits.filter(({ Name }) => Name !== 'nofile')] }),
  };
}

/** Those of every job and of the image, but where the service mounts something, and its own. */
function temporaryFolders(service: PinnedService, base: ContainerOptions, sandbox: Sandbox): Record<string, string> {
  const taken = new Set(service.mounts.map(({ target }) => target));
  const hidden = (path: string): boolean => service.secrets !== undefined && `${path}/`.startsWith(`${SECRETS_FOLDER}/`);
  const folders = Object.entries(base.HostConfig['Tmpfs'] as Record<string, string>).filter(([path]) => !taken.has(path) && !hidden(path));
  const own = service.mounts.flatMap((mount) => {
    if (mount.kind !== 'tmpfs') return [];
    const size = Math.min(mount.size ?? sandbox.tmp, service.task.resources.memory);
    return [[mount.target, `${mount.readOnly === true ? 'ro' : 'rw'},nosuid,nodev,noexec,size=${String(size)},mode=${(mount.mode ?? 0o1777).toString(8)}`] as const];
  });
  return Object.fromEntries([...folders, ...own]);
}

function mountsOf(container: ServiceContainer, project: PinnedProject, names: ProjectNames, base: ContainerOptions): readonly (Mount | SecretsMount)[] {
  const own = container.service.mounts.flatMap((mount): readonly Mount[] => {
    if (mount.kind === 'tmpfs') return [];
    if (mount.kind === 'shared') return [{ Type: 'volume', Source: mount.volume, Target: mount.target, ReadOnly: true, VolumeOptions: { NoCopy: true } }];
    const volume = mount.kind === 'anonymous' ? container.anonymous.get(mount.target) : volumeName(mount.volume, project, names);
    if (volume === undefined) throw new EngineRefused('a service mounts a volume that the project does not have');
    const readOnly = mount.readOnly === true ? { ReadOnly: true as const } : {};
    return [{ Type: 'volume', Source: volume, Target: mount.target, ...readOnly, VolumeOptions: { NoCopy: true, Labels: names.labels('volume') } }];
  });
  const mounts = [...own, ...(container.plan.secrets === undefined ? [] : [secretsMount(names.secrets(container.plan.index), true)])];
  if (mounts.some(({ Target }) => Target === '/output')) return mounts;
  const [output] = base.HostConfig['Mounts'] as readonly Mount[];
  return output === undefined ? mounts : [output, ...mounts];
}

function volumeName(volume: string, project: PinnedProject, names: ProjectNames): string | undefined {
  const index = project.volumes.indexOf(volume);
  return index === -1 ? undefined : names.volume(index).output;
}
