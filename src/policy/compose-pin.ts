import { type ComposeFile, type ComposeService, type ServiceFile, type ServiceHealthcheck, type ServiceMount, targetOf } from '../compose/compose-file.ts';
import type { HealthTimes } from '../image/image.ts';
import { DEFAULT_NETWORK } from '../compose/read-compose.ts';
import type { PinnedAttachment, PinnedFile, PinnedHealthcheck, PinnedMount, PinnedProject, PinnedSecret, PinnedService } from '../task/project.ts';
import type { PinnedTask, Resources } from '../task/task.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { dependenciesOf, linkOf, replicasOf, runningServices } from './compose-project-rules.ts';
import { restartOf } from './compose-restart.ts';
import { capabilityName, HEALTH_LIMITS } from './compose-service-rules.ts';
import { secretsInMemory } from './compose-secret-rules.ts';

/** What the engine does where nobody says (milliseconds). */
const HEALTH_DEFAULTS = { interval: 30_000, timeout: 30_000, startPeriod: 0, retries: 3 };
const READABLE = 0o444;
/** Of a secret that is given with the job, where nobody says. */
const OWN = 0o400;

/**
 * The project that a file describes, once nothing is wrong with it. `tasks`: what was judged of each service. Built from the
 * model alone: what the model has no member for cannot be in it.
 */
export function pinProject(file: ComposeFile, tasks: ReadonlyMap<string, PinnedTask>, knobs: ComposeKnobs, main: readonly string[]): PinnedProject {
  const running = inOrder(runningServices(file));
  const services = running.flatMap((service) => {
    const task = tasks.get(service.name);
    return task === undefined ? [] : [pinService(service, file, task, knobs, running)];
  });
  const attached = services.flatMap(({ networks }) => networks.filter(({ external }) => external === undefined).map(({ network }) => network));
  const mounted = services.flatMap(({ mounts }) => mounts.flatMap((mount) => (mount.kind === 'volume' ? [mount.volume] : [])));
  return { type: 'project', services, networks: [...new Set(attached)], volumes: [...new Set(mounted)], main, resources: sumOf(services) };
}

function sumOf(services: readonly PinnedService[]): Resources {
  const sum = (kind: keyof Resources): number => services.reduce((total, { task, replicas }) => total + task.resources[kind] * replicas, 0);
  // thousandths: 0.1 + 0.2 is 0.3
  return { cores: Math.round(sum('cores') * 1000) / 1000, memory: sum('memory') };
}

/** The services whose exits decide: the one that was asked for, or the one on which no other depends, or all. */
export function mainServices(file: ComposeFile, asked: string | undefined): readonly string[] {
  const running = runningServices(file);
  if (asked !== undefined) return running.filter(({ name }) => name === asked).map(({ name }) => name);
  const needed = new Set(running.flatMap((service) => dependenciesOf(service).map((dependency) => dependency.service)));
  const last = running.filter(({ name }) => !needed.has(name));
  return (last.length === 1 ? last : running).map(({ name }) => name);
}

/** The words of a service's health check, its own or its image's; undefined where it has none. */
export function healthTest(healthcheck: ServiceHealthcheck | undefined, task: PinnedTask): readonly string[] | undefined {
  const own = healthcheck?.test ?? [];
  const test = own.length > 0 ? own : task.image.config.healthcheck;
  return test.length === 0 || test[0] === 'NONE' ? undefined : test;
}

function pinService(service: ComposeService, file: ComposeFile, task: PinnedTask, knobs: ComposeKnobs, running: readonly ComposeService[]): PinnedService {
  const { resources } = service;
  const test = healthTest(service.healthcheck, task);
  const [openFiles] = service.ulimits.filter(({ name }) => name === 'nofile');
  const names = new Set(running.map(({ name }) => name));
  const user = service.user?.value ?? task.user;
  const inMemory = secretsInMemory(service, file);
  return {
    name: service.name,
    task: withoutGiven(service, { ...task, user }),
    replicas: replicasOf(service),
    ...present('workingDirectory', service.workingDirectory?.value),
    ...present('hostname', service.hostname?.value),
    ...present('domainName', service.domainName?.value),
    capabilities: capabilitiesOf(service, task, knobs),
    networks: attachments(service, file, running),
    mounts: service.mounts.map((mount) => pinMount(mount, file)),
    files: pinFiles(service.files.filter((use) => !inMemory.includes(use)), file),
    ...present('secrets', inMemory.length === 0 ? undefined : inMemory.map((use) => pinSecret(use, file, user))),
    dependsOn: dependenciesOf(service).filter((each) => names.has(each.service)).map(({ service: name, condition, required }) => ({ service: name, condition, ...(required ? {} : { optional: true as const }) })),
    ...present('healthcheck', test === undefined ? undefined : pinHealthcheck(test, service.healthcheck, task.image.config.healthTimes)),
    ...present('restart', restartOf(service.restart?.value)),
    ...present('stopSignal', service.stopSignal === undefined ? undefined : signalName(service.stopSignal.value)),
    ...present('stopGrace', service.stopGracePeriod?.value),
    ...present('sharedMemory', resources.sharedMemory?.value),
    ...present('processes', resources.processes[0]?.value),
    ...present('openFiles', openFiles === undefined ? undefined : { soft: openFiles.soft, hard: openFiles.hard }),
    sysctls: Object.fromEntries([...service.sysctls].map(([name, said]) => [name, said.value ?? ''])),
    extraHosts: service.extraHosts.map(({ value }) => value),
    dns: service.dns.map(({ value }) => value),
    dnsOptions: service.dnsOptions.map(({ value }) => value),
    dnsSearch: service.dnsSearch.map(({ value }) => value),
  };
}

/** The task without what the rule gives it and the file takes away: a root file system that can be written, capabilities. */
function withoutGiven({ capabilitiesDropped, readOnly }: ComposeService, task: PinnedTask): PinnedTask {
  if (task.relaxed === undefined) return task;
  const { relaxed, ...others } = task;
  const { writableRoot, capabilities, ...more } = relaxed;
  const dropped = new Set(capabilitiesDropped.map(({ value }) => capabilityName(value)));
  const kept = (capabilities ?? []).filter((name) => !dropped.has(name) && !dropped.has('ALL'));
  const left = { ...more, ...(writableRoot === undefined || readOnly?.value === true ? {} : { writableRoot }), ...(kept.length === 0 ? {} : { capabilities: kept }) };
  return Object.keys(left).length === 0 ? others : { ...others, relaxed: left };
}

/** What the file adds, beside what the rule gives and the file leaves. */
function capabilitiesOf(service: ComposeService, task: PinnedTask, knobs: ComposeKnobs): readonly string[] {
  const added = service.capabilitiesAdded.map(({ value }) => capabilityName(value)).filter((name) => (knobs.capabilities as readonly string[]).includes(name));
  return added.length === 0 ? [] : [...new Set([...(withoutGiven(service, task).relaxed?.capabilities ?? []), ...added])];
}

/** The service's networks, with the aliases that the file gives it and those by which others link to it. */
function attachments(service: ComposeService, file: ComposeFile, running: readonly ComposeService[]): readonly PinnedAttachment[] {
  if (service.networkMode !== undefined) return [];
  const linked = running.flatMap((other) => other.links.map(({ value }) => linkOf(value)).filter((link) => link.service === service.name).map(({ alias }) => alias));
  return (service.networks ?? [{ name: DEFAULT_NETWORK, aliases: [] }]).map(({ name, aliases }) => {
    const external = file.networks.get(name)?.external?.value;
    const others = [...aliases.map(({ value }) => value), ...linked].filter((alias) => alias !== service.name);
    return { network: external ?? name, ...(external === undefined ? {} : { external: true as const }), aliases: [...new Set(others)] };
  });
}

function pinMount(mount: ServiceMount, file: ComposeFile): PinnedMount {
  const { target } = mount;
  const readOnly = present('readOnly', mount.readOnly || undefined);
  if (mount.type === 'tmpfs') return { kind: 'tmpfs', target, ...present('size', mount.size), ...present('mode', mount.mode), ...readOnly };
  // Nothing else is left once the file was judged; a kind that comes later must not become a volume by default.
  if (mount.type !== 'volume') throw new Error(`a mount of type ${mount.type} was accepted`);
  if (mount.source === '') return { kind: 'anonymous', target, ...readOnly };
  const external = file.volumes.get(mount.source)?.external?.value;
  return external === undefined ? { kind: 'volume', volume: mount.source, target, readOnly: mount.readOnly } : { kind: 'shared', volume: external, target };
}

/** One with content as it would be elsewhere; one that is given with the job is for the service's user alone, where nobody says otherwise. */
function pinSecret(use: ServiceFile, file: ComposeFile, user: string): PinnedSecret {
  const content = file.secrets.get(use.source)?.content?.value;
  const [uid = 0, gid = 0] = content === undefined ? user.split(':').map(Number) : [0, 0];
  const owner = { uid: use.uid ?? uid, gid: use.gid ?? gid, mode: use.mode ?? (content === undefined ? OWN : READABLE) };
  return { name: use.source, file: baseName(targetOf(use)), ...owner, ...present('content', content) };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function pinFiles(files: readonly ServiceFile[], file: ComposeFile): readonly PinnedFile[] {
  return files.flatMap((use) => {
    const content = (use.kind === 'config' ? file.configs : file.secrets).get(use.source)?.content?.value;
    return content === undefined ? [] : [{ path: targetOf(use), content, uid: use.uid ?? 0, gid: use.gid ?? 0, mode: use.mode ?? READABLE }];
  });
}

/** What the file says, else the image, held to what a file may say, else what the engine does. Zero says nothing, as it does to the engine. */
function pinHealthcheck(test: readonly string[], said: ServiceHealthcheck | undefined, image: HealthTimes = {}): PinnedHealthcheck {
  const value = (name: keyof typeof HEALTH_DEFAULTS): number => {
    const [least, most] = HEALTH_LIMITS[name];
    const own = image[name];
    return said?.[name]?.value || (own === undefined ? HEALTH_DEFAULTS[name] : Math.min(Math.max(Math.ceil(own), least), most));
  };
  return { test, interval: value('interval'), timeout: value('timeout'), startPeriod: value('startPeriod'), retries: value('retries') };
}

function signalName(text: string): string {
  const name = text.toUpperCase();
  return /^\d+$/.test(name) || name.startsWith('SIG') ? name : `SIG${name}`;
}

/** Each service after all that it depends on. There is no circle: that was judged. */
function inOrder(services: readonly ComposeService[]): readonly ComposeService[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const ordered = new Set<ComposeService>();
  const visit = (service: ComposeService): void => {
    for (const { service: name } of dependenciesOf(service)) {
      const needed = byName.get(name);
      if (needed !== undefined && !ordered.has(needed)) visit(needed);
    }
    ordered.add(service);
  };
  for (const service of services) visit(service);
  return [...ordered];
}

function present<K extends string, T>(name: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: T };
}
