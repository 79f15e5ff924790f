import { DB, WEB } from './compose-site.ts';

type Tree = { [key: string]: unknown };

/** A way out of a project: what a file would say, in the service `web` or at the top. */
export interface Escape {
  readonly name: string;
  readonly service?: Tree;
  readonly top?: Tree;
}

const service = (name: string, fragment: Tree, top?: Tree): Escape => ({ name, service: fragment, ...(top === undefined ? {} : { top }) });
const volume = (source: string, more: Tree = {}): Tree => ({ volumes: [{ type: 'bind', source, target: '/x', ...more }] });

/** Every escape of the research (images-and-compose.md, section 5). */
export const ESCAPES: readonly Escape[] = [
  // control of the host
  service('privileged', { privileged: true }),
  service('privileged, a word', { privileged: 'yes' }),
  service('privileged, a letter', { privileged: 'Y' }),
  service('privileged, on', { privileged: 'On' }),
  service('privileged, a number', { privileged: '1' }),
  service('cap_add ALL', { cap_add: ['ALL'] }),
  service('cap_add SYS_ADMIN', { cap_add: ['CAP_SYS_ADMIN'] }),
  service('cap_add SYS_PTRACE', { cap_add: ['sys_ptrace'] }),
  service('cap_add SYS_MODULE', { cap_add: ['SYS_MODULE'] }),
  service('cap_add DAC_READ_SEARCH', { cap_add: ['DAC_READ_SEARCH'] }),
  service('cap_add BPF', { cap_add: ['BPF', 'PERFMON'] }),
  service('devices', { devices: ['/dev/sda:/dev/sda:rwm'] }),
  service('devices, long', { devices: [{ source: '/dev/mem', target: '/dev/mem', permissions: 'rwm' }] }),
  service('devices, CDI', { devices: ['vendor.com/device=all'] }),
  service('device_cgroup_rules', { device_cgroup_rules: ['a *:* rwm'] }),
  service('gpus', { gpus: 'all' }),
  service('gpus, long', { gpus: [{ driver: 'cdi', count: 'all', capabilities: ['x'] }] }),
  service('deploy devices', { deploy: { resources: { reservations: { devices: [{ driver: 'nvidia', count: 'all', capabilities: ['gpu'] }] } } } }),
  service('seccomp', { security_opt: ['seccomp:unconfined'] }),
  service('seccomp profile', { security_opt: ['seccomp=/etc/shadow'] }),
  service('apparmor', { security_opt: ['apparmor=unconfined'] }),
  service('label', { security_opt: ['label:disable'] }),
  service('systempaths', { security_opt: ['systempaths=unconfined'] }),
  service('privileges again', { security_opt: ['no-new-privileges:false'] }),
  service('runtime', { runtime: 'nvidia' }),
  service('annotations', { annotations: { 'io.kubernetes.cri-o.userns-mode': 'x' } }),
  service('sysctls', { sysctls: { 'kernel.core_pattern': '|/x' } }),
  service('sysctls, list', { sysctls: ['net.ipv4.ip_forward=1'] }),
  service('cgroup', { cgroup: 'host' }),
  service('cgroup_parent', { cgroup_parent: '/' }),
  service('credential_spec', { credential_spec: { file: 'x.json' } }),
  service('isolation', { isolation: 'process' }),
  service('storage_opt', { storage_opt: { size: '1T' } }),
  service('blkio_config', { blkio_config: { device_read_bps: [{ path: '/dev/sda', rate: '1mb' }] } }),
  service('group_add', { group_add: ['docker'] }),
  service('oom_score_adj', { oom_score_adj: -1000 }),
  service('oom_kill_disable', { oom_kill_disable: true }),
  service('cpu_rt', { cpu_rt_runtime: '950ms', cpu_rt_period: '1s' }),
  service('cpuset', { cpuset: '0' }),
  service('userns_mode', { userns_mode: 'host' }),
  service('uts', { uts: 'host' }),
  service('pid', { pid: 'host' }),
  service('pid of another container', { pid: 'container:registry' }),
  service('ipc', { ipc: 'host' }),
  service('ipc of another container', { ipc: 'container:registry' }),
  service('provider', { provider: { type: '../../bin/sh', options: { a: 'b' } } }),
  service('use_api_socket', { use_api_socket: true }),
  service('use_api_socket, a word', { use_api_socket: 'yes' }),
  service('post_start', { post_start: [{ command: ['sh'], user: 'root', privileged: true }] }),
  service('pre_stop', { pre_stop: [{ command: ['sh'], privileged: true }] }),
  service('pre_start', { pre_start: [{ image: 'docker.io/evil/evil', privileged: true }] }),
  service('models', { models: ['llm'] }, { models: { llm: { model: 'ai/x' } } }),
  service('root', { user: 'root' }),
  service('root by number', { user: '0:0' }),
  service('root by many zeros', { user: '000' }),
  // data of the host
  service('bind of /', { volumes: ['/:/host'] }),
  service('bind of /proc', { volumes: ['/proc:/host:ro'] }),
  service('bind of /etc', { volumes: ['/etc:/host'] }),
  service('bind of the socket', { volumes: ['/var/run/docker.sock:/var/run/docker.sock'] }),
  service('bind of a relative path', { volumes: ['./x:/x'] }),
  service('bind of the parent', { volumes: ['../../:/x'] }),
  service('bind of home', { volumes: ['~/.ssh:/x'] }),
  service('bind of a Windows path', { volumes: ['C:\\Windows:/x'] }),
  service('bind of a Windows pipe', { volumes: ['\\\\.\\pipe\\docker_engine:/x'] }),
  service('bind with propagation', { volumes: ['/x:/x:rshared'] }),
  service('bind, long', volume('/')),
  service('bind, long, with propagation', volume('/mnt', { bind: { propagation: 'shared', create_host_path: true } })),
  service('bind options on a volume', { volumes: [{ type: 'volume', source: 'vol', target: '/x', bind: { propagation: 'shared' } }] }, { volumes: { vol: {} } }),
  service('npipe', { volumes: [{ type: 'npipe', source: '\\\\.\\pipe\\docker_engine', target: '/x' }] }),
  service('cluster', { volumes: [{ type: 'cluster', source: 'x', target: '/x' }] }),
  service('image mount', { volumes: [{ type: 'image', source: 'docker.io/evil/evil', target: '/x' }] }),
  service('subpath', { volumes: [{ type: 'volume', source: 'vol', target: '/x', volume: { subpath: '../../..' } }] }, { volumes: { vol: {} } }),
  service('mount over /proc', { volumes: ['vol:/proc/sys'] }, { volumes: { vol: {} } }),
  service('mount over /sys', { tmpfs: ['/sys/fs/cgroup'] }),
  service('undeclared volume', { volumes: ['somebodys-data:/x'] }),
  service('driver_opts bind', { volumes: ['vol:/x'] }, { volumes: { vol: { driver: 'local', driver_opts: { type: 'none', o: 'bind', device: '/' } } } }),
  service('driver_opts nfs', { volumes: ['vol:/x'] }, { volumes: { vol: { driver_opts: { type: 'nfs', o: 'addr=10.0.0.1', device: ':/' } } } }),
  service('volume driver', { volumes: ['vol:/x'] }, { volumes: { vol: { driver: 'vieux/sshfs' } } }),
  service('volume name', { volumes: ['vol:/x'] }, { volumes: { vol: { name: 'pratique-other.job.output' } } }),
  service('external volume', { volumes: ['vol:/x'] }, { volumes: { vol: { external: true } } }),
  service('external volume, a word', { volumes: ['vol:/x'] }, { volumes: { vol: { external: 'yes', name: 'other' } } }),
  service('external volume, old form', { volumes: ['vol:/x'] }, { volumes: { vol: { external: { name: 'other' } } } }),
  service('volumes_from', { volumes_from: ['container:registry'] }),
  service('env_file', { env_file: '/proc/self/environ' }),
  service('env_file, long', { env_file: [{ path: '/etc/passwd', required: false }] }),
  service('label_file', { label_file: '/etc/passwd' }),
  service('extends a file', { extends: { file: '/etc/other.yml', service: 'web' } }),
  service('environment of the gateway', { environment: ['PATH'] }),
  service('environment of the gateway, mapping', { environment: { HOME: null } }),
  { name: 'include', top: { include: ['../other/compose.yml'] } },
  { name: 'include a repository', top: { include: [{ path: 'https://github.com/evil/evil.git' }] } },
  { name: 'include an artifact', top: { include: ['oci://evil.example.org/evil:latest'] } },
  service('config of a file', { configs: ['conf'] }, { configs: { conf: { file: '/etc/shadow' } } }),
  service('config of the environment', { configs: ['conf'] }, { configs: { conf: { environment: 'HOME' } } }),
  service('external config', { configs: ['conf'] }, { configs: { conf: { external: true } } }),
  service('template config', { configs: ['conf'] }, { configs: { conf: { content: '{{ env "HOME" }}', template_driver: 'golang' } } }),
  service('secret of a file', { secrets: ['sec'] }, { secrets: { sec: { file: '/root/.docker/config.json' } } }),
  service('secret of the environment', { secrets: ['sec'] }, { secrets: { sec: { environment: 'AWS_SECRET' } } }),
  service('secret driver', { secrets: ['sec'] }, { secrets: { sec: { driver: 'vault', driver_opts: { a: 'b' } } } }),
  service('setuid config', { configs: [{ source: 'conf', target: '/x', mode: '4755' }] }, { configs: { conf: { content: 'x' } } }),
  service('config over /proc', { configs: [{ source: 'conf', target: '/proc/sys/kernel/core_pattern' }] }, { configs: { conf: { content: '|/x' } } }),
  // images that nobody judged
  service('build', { build: '.' }),
  service('build, long', { build: { context: 'https://github.com/evil/evil.git', privileged: true, network: 'host', ssh: ['default'] } }),
  service('another image', { image: 'docker.io/evil/evil:1' }),
  service('an image by its id', { image: 'sha256:0000000000000000000000000000000000000000000000000000000000000000' }),
  service('a host in disguise', { image: 'registry.example.org.evil.example/web:1' }),
  // networks of the host
  service('network_mode host', { network_mode: 'host' }),
  service('network_mode bridge', { network_mode: 'bridge' }),
  service('network of another container', { network_mode: 'container:registry' }),
  service('network of another service', { network_mode: 'service:db' }),
  service('external network', { networks: ['net'] }, { networks: { net: { external: true } } }),
  service('external network, a word', { networks: ['net'] }, { networks: { net: { external: 'ON', name: 'host' } } }),
  service('network name', { networks: ['net'] }, { networks: { net: { name: 'bridge' } } }),
  service('network driver host', { networks: ['net'] }, { networks: { net: { driver: 'host' } } }),
  service('network driver macvlan', { networks: ['net'] }, { networks: { net: { driver: 'macvlan', driver_opts: { parent: 'eth0' } } } }),
  service('network driver overlay', { networks: ['net'] }, { networks: { net: { driver: 'overlay', attachable: true } } }),
  service('bridge name', { networks: ['net'] }, { networks: { net: { driver_opts: { 'com.docker.network.bridge.name': 'docker0' } } } }),
  service('subnet', { networks: ['net'] }, { networks: { net: { ipam: { config: [{ subnet: '169.254.169.0/24', gateway: '169.254.169.254' }] } } } }),
  service('static address', { networks: { net: { ipv4_address: '172.17.0.1' } } }, { networks: { net: {} } }),
  service('undeclared network', { networks: ['bridge'] }),
  service('port below 1024', { ports: ['22:22'] }),
  service('port of every address', { ports: ['0.0.0.0:8080:80'] }),
  service('port of one address', { ports: ['127.0.0.1:2375:2375'] }),
  service('range of ports', { ports: ['1-65535:1-65535'] }),
  service('port, long', { ports: [{ target: 80, published: '80', mode: 'host', host_ip: '0.0.0.0' }] }),
  service('host-gateway', { extra_hosts: ['host:host-gateway'] }),
  service('metadata', { extra_hosts: { metadata: '169.254.169.254' } }),
  service('site-internal host', { extra_hosts: ['inside:10.0.0.5'] }),
  service('mapped address', { extra_hosts: ['inside:::ffff:192.168.0.1'] }),
  service('dns', { dns: ['10.0.0.53'] }),
  service('external_links', { external_links: ['registry:db'] }),
  service('link to what is not there', { links: ['registry'] }),
  service('mac_address', { mac_address: '02:42:ac:11:00:02' }),
  service('log driver', { logging: { driver: 'syslog', options: { 'syslog-address': 'tcp://10.0.0.1:514' } } }),
  service('log file', { logging: { driver: 'json-file', options: { 'max-size': '1t' } } }),
  // more than there is
  service('cores', { cpus: '1000' }),
  service('memory', { mem_limit: '1t' }),
  service('memory, deploy', { deploy: { resources: { limits: { memory: '1t' } } } }),
  service('no limit of memory', { mem_limit: '-1' }),
  service('swap', { memswap_limit: '-1' }),
  service('processes', { pids_limit: -1 }),
  service('processes, none', { pids_limit: '0' }),
  service('shared memory', { shm_size: '1t' }),
  service('tmpfs', { tmpfs: '/x:size=1t' }),
  service('tmpfs that runs', { tmpfs: '/x:exec,suid,dev' }),
  service('tmpfs, long', { volumes: [{ type: 'tmpfs', target: '/x', tmpfs: { size: '1t' } }] }),
  service('ulimits', { ulimits: { nproc: '1000000' } }),
  service('memlock', { ulimits: { memlock: { soft: -1, hard: -1 } } }),
  service('core dumps', { ulimits: { core: -1 } }),
  service('replicas', { deploy: { replicas: 10_000 } }),
  service('scale', { scale: '10000' }),
  service('restless health check', { healthcheck: { test: ['CMD', 'x'], interval: '1us' } }),
  service('endless stop', { stop_grace_period: '9999h' }),
  // somebody else's name
  service('container_name', { container_name: 'registry' }),
  service('label of compose', { labels: { 'com.docker.compose.project': 'other' } }),
  service('label of traefik', { labels: ['traefik.http.routers.x.rule=Host(`gateway`)'] }),
  service('label of the gateway', { labels: { 'pratique.gateway': 'x' } }),
  service('another platform', { platform: 'linux/arm64' }),
];

/** A fragment that is harmless: every form of it must be accepted, or the forms prove nothing. */
export const HARMLESS: Escape = {
  name: 'nothing',
  service: { privileged: 'no', command: ['sh', '-c', 'x'], volumes: ['vol:/data'], labels: { 'org.example.a': 'b' }, cpus: '0.5', healthcheck: { test: ['CMD', 'true'], interval: '30s' } },
  top: { volumes: { vol: {} }, networks: { net: { internal: 'true' } } },
};

/** One spelling of an escape. */
export interface Form {
  readonly name: string;
  readonly write: (escape: Escape) => { readonly text: string; readonly variables?: Readonly<Record<string, string>> };
}

function merged(base: Tree, more: Tree | undefined): Tree {
  return { ...base, ...more };
}

function fileOf(escape: Escape): Tree {
  return { services: { web: merged({ image: WEB }, escape.service), db: { image: DB } }, ...escape.top };
}

interface Spelling {
  readonly key: (key: string, indent: string) => string;
  readonly scalar: (value: unknown, indent: string) => string;
}

/** Block YAML, keys and scalars spelled as asked. */
function block(value: unknown, spelling: Spelling, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []\n';
    return `\n${value.map((item) => `${indent}-${block(item, spelling, `${indent}  `)}`).join('')}`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return ' {}\n';
    return `\n${entries.map(([key, inner]) => `${indent}${spelling.key(key, indent)}:${block(inner, spelling, `${indent}  `)}`).join('')}`;
  }
  return ` ${spelling.scalar(value, indent)}\n`;
}

const json = (value: unknown): string => JSON.stringify(value);
/** A scalar as a person writes it. */
const bare = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
/** Plain where YAML 1.2 takes the text for itself and not for a number or a boolean. */
const plain: Spelling = {
  key: (key) => (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(key) ? key : json(key)),
  scalar: (value) => (typeof value === 'string' && (!/^[A-Za-z/.~][A-Za-z0-9 _./-]*$/.test(value) || /^(?:true|false|null|~)$/i.test(value)) ? json(value) : String(value)),
};
const quoted: Spelling = { key: json, scalar: (value) => (value === null ? '' : json(bare(value))) };
const escaped: Spelling = {
  key: (key) => `"${[...key].map((c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`).join('')}"`,
  scalar: (value) => (typeof value === 'string' ? `"${[...value].map((c) => `\\x${(c.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`).join('')}"` : String(value)),
};
const explicit: Spelling = { key: (key, indent) => `? ${plain.key(key, indent)}\n${indent}`, scalar: plain.scalar };
const folded: Spelling = { key: plain.key, scalar: (value, indent) => (typeof value === 'string' && value !== '' ? `>-\n${indent}  ${value}` : String(value)) };

/** Every scalar through a variable: given with the request, or as a default within a default. */
function interpolated(file: Tree, spell: (value: string, name: string, variables: Record<string, string>) => string): { readonly text: string; readonly variables: Readonly<Record<string, string>> } {
  const variables: Record<string, string> = {};
  let next = 0;
  const swap = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(swap);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, swap(inner)]));
    if (value === null) return null;
    next += 1;
    return spell(bare(value), `V${String(next)}`, variables);
  };
  return { text: JSON.stringify(swap(file)), variables };
}

/** The fragment under an extension, brought in by `<<`. */
function byMerge(escape: Escape, merge: (name: string) => string): string {
  const top = Object.entries(escape.top ?? {}).map(([key, value]) => `x-${key}: &${key}${block(value, plain, '  ')}`).join('');
  const uses = Object.keys(escape.top ?? {}).map((key) => (key === 'include' || Array.isArray(escape.top?.[key]) ? `${key}: *${key}\n` : `${key}:\n  ${merge(key)}\n`)).join('');
  const fragment = escape.service === undefined ? ' {}\n' : block(escape.service, plain, '  ');
  const { image, ...rest } = merged({ image: WEB }, escape.service);
  const own = escape.service?.['image'] === undefined ? `    image: ${json(image)}\n` : '';
  return `x-evil: &evil${Object.keys(rest).length === 0 && own !== '' ? ' {}\n' : fragment}${top}services:\n  web:\n    ${merge('evil')}\n${own}  db:\n    image: ${json(DB)}\n${uses}`;
}

/** Every member by an alias of its own. */
function byAlias(escape: Escape): string {
  const anchored = (name: string, value: unknown): string => `x-${name}: &${name}${block(value, plain, '  ')}`;
  const members = Object.entries(escape.service ?? {});
  const tops = Object.entries(escape.top ?? {});
  const own = escape.service?.['image'] === undefined ? `    image: ${json(WEB)}\n` : '';
  return [
    ...members.map(([key, value]) => anchored(`s-${key}`, value)),
    ...tops.map(([key, value]) => anchored(`t-${key}`, value)),
    `services:\n  web:\n${own}`,
    ...members.map(([key]) => `    ${key}: *s-${key}\n`),
    `  db:\n    image: ${json(DB)}\n`,
    ...tops.map(([key]) => `${key}: *t-${key}\n`),
  ].join('');
}

/** By `extends` of another service. */
function byExtends(escape: Escape): string {
  const { extends: own, ...rest } = merged({ image: WEB }, escape.service);
  const base = own === undefined ? rest : { ...rest, extends: own };
  return JSON.stringify({ services: { hidden: base, web: { extends: { service: 'hidden' } }, db: { image: DB } }, ...escape.top });
}

export const FORMS: readonly Form[] = [
  { name: 'plain', write: (escape) => ({ text: block(fileOf(escape), plain).trimStart() }) },
  { name: 'quoted', write: (escape) => ({ text: block(fileOf(escape), quoted).trimStart() }) },
  { name: 'escaped', write: (escape) => ({ text: block(fileOf(escape), escaped).trimStart() }) },
  { name: 'explicit keys', write: (escape) => ({ text: block(fileOf(escape), explicit).trimStart() }) },
  { name: 'folded', write: (escape) => ({ text: block(fileOf(escape), folded).trimStart() }) },
  { name: 'JSON', write: (escape) => ({ text: JSON.stringify(fileOf(escape)) }) },
  { name: 'YAML 1.1', write: (escape) => ({ text: `%YAML 1.1\n---\n${block(fileOf(escape), plain).trimStart()}` }) },
  { name: 'merged', write: (escape) => ({ text: byMerge(escape, (name) => `<<: *${name}`) }) },
  { name: 'merged from a list', write: (escape) => ({ text: byMerge(escape, (name) => `<<: [{init: true}, *${name}]`).replaceAll(/^( {2}<<: \[)\{init: true\}, /gm, '$1') }) },
  { name: 'aliased', write: (escape) => ({ text: byAlias(escape) }) },
  { name: 'extended', write: (escape) => ({ text: byExtends(escape) }) },
  {
    name: 'interpolated',
    write: (escape) => interpolated(fileOf(escape), (value, name, variables) => {
      variables[name] = value;
      return `\${${name}}`;
    }),
  },
  { name: 'interpolated by defaults', write: (escape) => interpolated(fileOf(escape), (value, name) => (/[}$\n]/.test(value) ? value.replaceAll('$', '$$$$') : `\${${name}:-\${${name}_:-${value}}}`)) },
  {
    name: 'interpolated in halves',
    write: (escape) => interpolated(fileOf(escape), (value, name, variables) => {
      variables[name] = value.slice(Math.ceil(value.length / 2));
      return `${value.slice(0, Math.ceil(value.length / 2)).replaceAll('$', '$$$$')}\${${name}+$${name}}`;
    }),
  },
];
