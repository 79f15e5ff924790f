import { readFileSync } from 'node:fs';
import type { ContainerCreateOptions } from 'dockerode';
import type { ComposeNode } from '../../src/compose/compose-node.ts';
import { readCompose } from '../../src/compose/read-compose.ts';

type Tree = Readonly<Record<string, unknown>>;

/** What runs a file without judging it would have run: a container, and the volumes that it makes beforehand. */
export interface NaiveProject {
  readonly container: ContainerCreateOptions;
  readonly volumes: readonly { readonly Name: string; readonly Driver: string; readonly DriverOpts: Readonly<Record<string, string>> }[];
}

/**
 * Turns the service `web` of a file into what the engine is asked for, each key as Compose does and none of them judged: what a
 * program does that hands a user's file to `docker compose`. `own`: a prefix for what it makes itself.
 */
export function naiveProject(text: string, variables: Readonly<Record<string, string>>, own: string): NaiveProject {
  const file = plain(readCompose(text, new Map(Object.entries(variables))).root) as Tree;
  const services = treeAt(file, 'services');
  const written = treeAt(services, 'web');
  const service = { ...treeAt(services, treeText(treeAt(written, 'extends'), 'service')), ...written };
  const volumes = treeAt(file, 'volumes');
  const engineName = (name: string): string => (volumes[name] === undefined ? name : externalName(treeAt(volumes, name), name) ?? `${own}-${name}`);
  const binds = [
    ...listAt(service, 'volumes').map((mount) => bindOf(mount, engineName)),
    ...(flag(service['use_api_socket']) ? ['/var/run/docker.sock:/var/run/docker.sock'] : []),
    ...['configs', 'secrets'].flatMap((section) => listAt(service, section).flatMap((name) => fileBind(treeAt(treeAt(file, section), String(name)), section, String(name)))),
  ];
  const [network] = listAt(service, 'networks').map((name) => externalName(treeAt(treeAt(file, 'networks'), String(name)), String(name)));
  const mode = textOf(service['network_mode']) ?? network;
  const container: ContainerCreateOptions = {
    Env: environmentOf(service),
    ...(service['user'] === undefined ? {} : { User: scalar(service['user']) ?? '' }),
    HostConfig: {
      Binds: binds,
      Privileged: flag(service['privileged']),
      CapAdd: listAt(service, 'cap_add').map(String),
      SecurityOpt: listAt(service, 'security_opt').map(String),
      Devices: listAt(service, 'devices').map((device) => {
        const [host = '', inside = host, permissions = 'rwm'] = typeof device === 'object' ? [treeText(device, 'source'), treeText(device, 'target'), treeText(device, 'permissions')] : (scalar(device) ?? '').split(':');
        return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions };
      }),
      DeviceCgroupRules: listAt(service, 'device_cgroup_rules').map(String),
      VolumesFrom: listAt(service, 'volumes_from').map((from) => String(from).replace(/^container:/, '')),
      // a network of the project's own would be made; nothing is asked of it here
      NetworkMode: mode ?? 'none',
      ...optional('PidMode', service['pid']),
      ...optional('IpcMode', service['ipc']),
      ...optional('UTSMode', service['uts']),
      ...optional('UsernsMode', service['userns_mode']),
      ...optional('CgroupnsMode', service['cgroup']),
      ...(service['oom_score_adj'] === undefined ? {} : { OomScoreAdj: Number(service['oom_score_adj']) }),
    },
  };
  const made = Object.entries(volumes).filter(([name, node]) => externalName(node as Tree, name) === undefined);
  return { container, volumes: made.map(([name, node]) => ({ Name: `${own}-${name}`, Driver: treeText(node, 'driver') || 'local', DriverOpts: stringsOf(treeAt(node as Tree, 'driver_opts')) })) };
}

function environmentOf(service: Tree): string[] {
  const files = listAt(service, 'env_file').map((entry) => (typeof entry === 'object' ? treeText(entry, 'path') : (scalar(entry) ?? '')));
  const listed = Array.isArray(service['environment']) ? service['environment'].map(String) : Object.entries(treeAt(service, 'environment')).map(([name, value]) => (value === null || value === '' ? name : `${name}=${scalar(value) ?? ''}`));
  const read = files.flatMap((path) => readFileSync(path, 'utf8').split(/[\n\0]/).filter((line) => line.includes('=')));
  return [...read, ...listed.map((entry) => (entry.includes('=') ? entry : `${entry}=${process.env[entry] ?? ''}`))];
}

function bindOf(mount: unknown, engineName: (name: string) => string): string {
  if (typeof mount !== 'object') return (scalar(mount) ?? '').replace(/^[^:]+/, (source) => (/^[./~]/.test(source) ? source : engineName(source)));
  const [source, target] = [treeText(mount, 'source'), treeText(mount, 'target')];
  return `${treeText(mount, 'type') === 'bind' ? source : engineName(source)}:${target}`;
}

/** Where a config or secret is a file, it is mounted; where it is a variable of the runner's, its value would be. */
function fileBind(declared: Tree, section: string, name: string): readonly string[] {
  const path = textOf(declared['file']);
  return path === undefined ? [] : [`${path}:${section === 'secrets' ? '/run/secrets/' : '/'}${name}:ro`];
}

/** The name that an external thing, or one that says its name, has on the engine. */
function externalName(node: Tree, own: string): string | undefined {
  if (typeof node?.['external'] === 'object' && node['external'] !== null) return treeText(node['external'], 'name');
  return textOf(node?.['name']) ?? (flag(node?.['external']) ? own : undefined);
}

function plain(node: ComposeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([name, inner]) => [name, plain(inner)]));
}

/** As Compose casts it (compose-go, interpolation/types). */
function flag(value: unknown): boolean {
  return /^(?:true|y|yes|on|1|t)$/i.test(scalar(value) ?? '');
}

function scalar(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function textOf(value: unknown): string | undefined {
  return value === '' ? undefined : scalar(value);
}

function treeText(tree: unknown, name: string): string {
  return scalar((tree as Tree)[name]) ?? '';
}

function treeAt(tree: Tree, name: string): Tree {
  const value = tree[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}

function listAt(tree: Tree, name: string): readonly unknown[] {
  const value = tree[name];
  if (Array.isArray(value)) return value;
  return value === undefined || value === null || typeof value === 'object' ? [] : [value];
}

function stringsOf(tree: Tree): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(tree).map(([name, value]) => [name, String(value)]));
}

function optional<K extends string>(name: K, value: unknown): { readonly [P in K]?: string } {
  const said = textOf(value);
  return (said === undefined ? {} : { [name]: said }) as { readonly [P in K]?: string };
}
