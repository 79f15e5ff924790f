import type { ComposeService, Said } from './compose-file.ts';
import { type ComposeNode, member, type Place } from './compose-node.ts';
import { readDependencies, readExpose, readPorts, readServiceNetworks } from './read-networking.ts';
import { readFiles, readMounts } from './read-mounts.ts';
import { readHealthcheck, readResources, readUlimits } from './read-resources.ts';
import { memberAt, placeOf, type Reading } from './reading.ts';

/** Members that are one text: name in the model -> key of the file. */
const TEXTS = {
  image: 'image',
  workingDirectory: 'working_dir',
  user: 'user',
  hostname: 'hostname',
  domainName: 'domainname',
  platform: 'platform',
  cgroup: 'cgroup',
  ipc: 'ipc',
  pid: 'pid',
  networkMode: 'network_mode',
  restart: 'restart',
  stopSignal: 'stop_signal',
} as const;

/** Members that are lists of texts. */
const LISTS = {
  capabilitiesAdded: 'cap_add',
  capabilitiesDropped: 'cap_drop',
  securityOptions: 'security_opt',
  links: 'links',
  dns: 'dns',
  dnsOptions: 'dns_opt',
  dnsSearch: 'dns_search',
  profiles: 'profiles',
} as const;

/** One service out of its node; what keeps it from being read is told to `reading`. */
export function readService(name: string, node: ComposeNode, reading: Reading): ComposeService {
  reading.members(node);
  return {
    ...placeOf(node),
    name,
    ...texts(node, reading),
    ...lists(node, reading),
    ...words(node, reading),
    ...numbers(node, reading),
    ...flags(node, reading),
    environment: reading.pairs(member(node, 'environment')),
    sysctls: reading.pairs(member(node, 'sysctls')),
    labels: new Map([...reading.pairs(memberAt(node, 'deploy', 'labels')), ...reading.pairs(member(node, 'labels'))]),
    extraHosts: extraHosts(member(node, 'extra_hosts'), reading),
    ...optional('networks', readServiceNetworks(node, reading)),
    expose: readExpose(node, reading),
    ports: readPorts(node, reading),
    mounts: readMounts(node, reading),
    files: readFiles(node, reading),
    dependsOn: readDependencies(node, reading),
    ...optional('healthcheck', readHealthcheck(node, reading)),
    gpus: gpus(node, reading),
    resources: readResources(node, reading),
    ulimits: readUlimits(node, reading),
  };
}

function texts(node: ComposeNode, reading: Reading): Partial<Record<keyof typeof TEXTS, Said<string>>> {
  const entries = Object.entries(TEXTS).map(([name, key]) => [name, reading.text(member(node, key))] as const).filter(([, said]) => said !== undefined);
  return Object.fromEntries(entries);
}

function lists(node: ComposeNode, reading: Reading): Record<keyof typeof LISTS, readonly Said<string>[]> {
  const entries = Object.entries(LISTS).map(([name, key]) => [name, reading.texts(member(node, key))]);
  return Object.fromEntries(entries) as Record<keyof typeof LISTS, readonly Said<string>[]>;
}

/** An empty command or entrypoint is said: it takes the image's own away. */
function words(node: ComposeNode, reading: Reading): Pick<ComposeService, 'command' | 'entrypoint'> {
  return { ...optional('command', reading.words(member(node, 'command'))), ...optional('entrypoint', reading.words(member(node, 'entrypoint'))) };
}

function numbers(node: ComposeNode, reading: Reading): Pick<ComposeService, 'replicas' | 'scale' | 'stopGracePeriod'> {
  return {
    ...optional('replicas', reading.integer(memberAt(node, 'deploy', 'replicas'))),
    ...optional('scale', reading.integer(member(node, 'scale'))),
    ...optional('stopGracePeriod', reading.duration(member(node, 'stop_grace_period'))),
  };
}

function flags(node: ComposeNode, reading: Reading): Pick<ComposeService, 'readOnly' | 'init' | 'tty' | 'stdinOpen'> {
  const flag = (key: string): Said<boolean> | undefined => reading.flag(member(node, key));
  return { ...optional('readOnly', flag('read_only')), ...optional('init', flag('init')), ...optional('tty', flag('tty')), ...optional('stdinOpen', flag('stdin_open')) };
}

/** `name:address` or `name=address`, as a list, or addresses by name; brackets around an address are none of it. */
function extraHosts(node: ComposeNode | undefined, reading: Reading): readonly Said<string>[] {
  const hosts =
    node?.kind === 'map'
      ? [...node.entries].flatMap(([name, value]) => reading.texts(value).map((said) => ({ ...said, value: `${name}:${said.value}` })))
      : reading.texts(node).map((said) => ({ ...said, value: said.value.replace('=', ':') }));
  return hosts.map((said) => ({ ...said, value: said.value.replace(/:\[(.*)\]$/, ':$1') }));
}

/** Every place where a service asks for devices through requests. */
function gpus(node: ComposeNode, reading: Reading): readonly Place[] {
  const asked = member(node, 'gpus');
  const devices = memberAt(node, 'deploy', 'resources', 'reservations', 'devices');
  const found = [...(asked?.kind === 'scalar' ? [asked] : reading.items(asked)), ...reading.items(devices)];
  const generic = reading.items(memberAt(node, 'deploy', 'resources', 'reservations', 'generic_resources'));
  return [...found, ...generic].map(placeOf);
}

function optional<K extends string, T>(name: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: T };
}
