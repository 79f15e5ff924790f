import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { COMPOSE_KEYS, EXTENSION_RULE } from '../../../src/policy/compose-keys.ts';
import { IGNORABLE } from '../../../src/policy/compose-knobs.ts';
import { composeSite, DB, judgeCompose, WEB } from '../../support/compose-site.ts';
import type { JudgedSite } from '../../support/site-policy.ts';

const FIXTURE = JSON.parse(readFileSync(new URL('../../../fixtures/compose/keys.json', import.meta.url), 'utf8')) as { keys: Record<string, string> };

/** What a key can be, and what it cannot. `no` of an allowed key has the wrong form; of a refused one the value is refused for the key. */
interface Case {
  readonly yes?: readonly unknown[];
  readonly no?: readonly unknown[];
}

const text = (...yes: readonly unknown[]): Case => ({ yes, no: [['list'], { a: 1 }] });
const flag: Case = { yes: [true, false, 'yes', 'off'], no: ['perhaps', [], 2] };
const deny = (...no: readonly unknown[]): Case => ({ no });
const denyTrue: Case = { yes: [false, 'no', 'OFF'], no: [true, 'true', 'y', 'Yes', 'ON', 1, '1', 't'] };
const ignored = (...yes: readonly unknown[]): Case => ({ yes });
const size: Case = { yes: ['64m', '1gb', 67_108_864], no: ['a lot', '-1', -1, '64 GB', '0', ['64m']] };

/** Every key of the table. */
const CASES: Readonly<Record<string, Case>> = {
  version: ignored('3.9'),
  name: text('mine'),
  include: deny('other.yml', ['oci://example.org/x'], [{ path: 'a' }]),
  services: { no: [[], 'web', {}] },
  'services.*': { yes: [{ image: WEB }], no: ['web', [WEB], {}] },
  networks: { yes: [{ net: null }], no: [['net'], 'net'] },
  'networks.*': { yes: [null, {}], no: ['bridge', []] },
  'networks.*.name': deny('other'),
  'networks.*.driver': { yes: ['bridge'], no: ['host', 'none', 'macvlan', 'ipvlan', 'overlay', 'plugin:1'] },
  'networks.*.driver_opts': deny({ parent: 'eth0' }),
  'networks.*.ipam': { yes: [{}, null], no: [{ driver: 'other' }, { config: [{ subnet: '10.0.0.0/8' }] }, 'x'] },
  'networks.*.ipam.driver': { yes: ['default'], no: ['dhcp'] },
  'networks.*.ipam.config': { yes: [[]], no: [[{ subnet: '172.17.0.0/16' }]] },
  'networks.*.ipam.options': { yes: [{}], no: [{ a: 'b' }] },
  'networks.*.external': denyTrue,
  'networks.*.internal': flag,
  'networks.*.enable_ipv4': ignored(true),
  'networks.*.enable_ipv6': ignored(true),
  'networks.*.attachable': denyTrue,
  'networks.*.labels': { yes: [{ a: 'b' }, ['a=b']] },
  volumes: { yes: [{ vol: null }], no: [['vol'], 'vol'] },
  'volumes.*': { yes: [null, {}], no: ['local', []] },
  'volumes.*.name': deny('other'),
  'volumes.*.driver': { yes: ['local'], no: ['nfs', 'rexray/ebs'] },
  'volumes.*.driver_opts': deny({ type: 'none', o: 'bind', device: '/' }, {}),
  'volumes.*.external': denyTrue,
  'volumes.*.labels': { yes: [{ a: 'b' }] },
  models: deny({ llm: { model: 'ai/x' } }),
  ...contentCases('configs'),
  ...contentCases('secrets'),
  'secrets.*.external': { yes: [true, 'yes', 'ON'], no: ['perhaps', 2, { name: 'other' }, []] },
  'secrets.*.driver': deny('vault'),
  'secrets.*.driver_opts': deny({ a: 'b' }),
  ...Object.fromEntries(Object.entries(serviceCases()).map(([key, value]) => [`services.*.${key}`, value])),
};

function contentCases(section: 'configs' | 'secrets'): Record<string, Case> {
  return {
    [section]: { yes: [{ one: { content: 'x' } }], no: [['one'], 'one'] },
    [`${section}.*`]: { yes: [{ content: 'x' }], no: ['x', ['x']] },
    [`${section}.*.name`]: ignored('mine'),
    [`${section}.*.content`]: text('x', 5, 'many\nlines'),
    [`${section}.*.environment`]: deny('HOME'),
    [`${section}.*.file`]: deny('./x', '/etc/shadow'),
    [`${section}.*.external`]: denyTrue,
    [`${section}.*.labels`]: { yes: [{ a: 'b' }] },
    [`${section}.*.template_driver`]: deny('golang'),
  };
}

function serviceCases(): Record<string, Case> {
  const range = (yes: readonly unknown[], no: readonly unknown[]): Case => ({ yes, no });
  const cores = range([1, '0.5', 3], [0, -1, 5, '99', 'many', [1]]);
  const words: Case = { yes: [['sh', '-c', 'x'], 'sh -c "x y"'], no: [{ a: 1 }, 'sh "', [['nested']], []] };
  const labels: Case = { yes: [{ 'org.example.a': 'b' }, ['a=b']], no: [{ 'com.docker.compose.project': 'x' }, ['traefik.enable=true'], { 'pratique.job': 'x' }, 'a=b', { 'com.centurylinklabs.watchtower.enable': 'true' }] };
  const file: Record<string, Case> = {
    '': { yes: [['conf'], [{ source: 'conf', target: '/x', mode: '0440' }]], no: [['other'], 'conf', [{ target: '/x' }]] },
    '[].source': { yes: ['conf'], no: ['other', ['conf']] },
    '[].target': { yes: ['/etc/app.conf'], no: ['/proc/sys/x', '/a/../../x', ['x']] },
    '[].uid': range([0, '1000'], ['root', -1]),
    '[].gid': range([0, '1000'], ['root', -1]),
    '[].mode': range(['0440', '0444'], ['0777', '4755', 440, 'r']),
  };
  return {
    annotations: deny({ a: 'b' }, ['a=b']),
    attach: ignored(false),
    blkio_config: deny({ weight: 300 }),
    build: deny('.', { context: '.' }, {}),
    cap_add: { yes: [[]], no: [['NET_ADMIN'], ['ALL'], ['CAP_SYS_ADMIN'], 'SYS_ADMIN', ['sys_ptrace'], ['NET_BIND_SERVICE']] },
    cap_drop: { yes: [['ALL'], ['CAP_NET_RAW']], no: [['not a capability']] },
    cgroup: { yes: ['private'], no: ['host', ''] },
    cgroup_parent: deny('/'),
    command: words,
    ...Object.fromEntries(Object.entries(file).map(([key, value]) => [`configs${key}`, value])),
    container_name: deny('x'),
    cpu_count: cores,
    cpu_percent: range([50, '100'], [0, 101, 'all']),
    cpu_shares: range([512], [0, 1, 1e6, 'all']),
    cpu_quota: range([50_000, '100ms'], [-1, 0, 1e9, 'all']),
    cpu_period: range([100_000], ['long']),
    cpu_rt_period: deny(1000, '10ms'),
    cpu_rt_runtime: deny(1000, '10ms'),
    cpus: cores,
    cpuset: deny('0-3', 0),
    credential_spec: deny({ file: 'x' }),
    depends_on: { yes: [['db'], { db: { condition: 'service_started' } }], no: [['other'], ['web'], { other: {} }] },
    'depends_on.*': { yes: [{ condition: 'service_healthy' }], no: [{ condition: 'ready' }, { state: 1 }] },
    'depends_on.*.condition': { yes: ['service_started', 'service_healthy', 'service_completed_successfully'], no: ['ready', ['x']] },
    'depends_on.*.required': flag,
    'depends_on.*.restart': ignored(true),
    deploy: { yes: [{}], no: [{ swarm: true }] },
    'deploy.resources': { yes: [{}], no: [{ unlimited: true }] },
    'deploy.resources.limits': { yes: [{}], no: [{ disk: '1g' }] },
    'deploy.resources.limits.cpus': cores,
    'deploy.resources.limits.memory': size,
    'deploy.resources.limits.pids': range([100], [0, -1, 1e6, 'x']),
    'deploy.resources.reservations': { yes: [{}], no: [{ disk: '1g' }] },
    'deploy.resources.reservations.cpus': range(['0.5'], ['99', -1]),
    'deploy.resources.reservations.memory': size,
    'deploy.resources.reservations.devices': { yes: [[]], no: [[{ capabilities: ['gpu'] }], [{ driver: 'cdi', device_ids: ['vendor.com/x=all'], capabilities: ['x'] }]] },
    'deploy.resources.reservations.generic_resources': { yes: [[]], no: [[{ discrete_resource_spec: { kind: 'gpu', value: 1 } }]] },
    'deploy.replicas': range([1, 2, '3'], [-1, 1000, 'many', 1.5]),
    'deploy.labels': labels,
    'deploy.mode': ignored('global'),
    'deploy.endpoint_mode': ignored('vip'),
    'deploy.placement': ignored({ constraints: ['node.role==manager'] }),
    'deploy.restart_policy': ignored({ condition: 'any' }),
    'deploy.update_config': ignored({ parallelism: 2 }),
    'deploy.rollback_config': ignored({ parallelism: 2 }),
    develop: ignored({ watch: [{ path: '/', action: 'sync' }] }),
    device_cgroup_rules: deny(['a *:* rwm']),
    devices: deny(['/dev/mem:/dev/mem'], ['vendor.com/gpu=all'], []),
    dns: { yes: [[]], no: [['8.8.8.8'], '169.254.169.254'] },
    dns_opt: { yes: [['ndots:2', 'rotate']], no: [['nameserver 1.2.3.4'], ['ndots:2\nnameserver 1.2.3.4']] },
    dns_search: { yes: [['example.org'], '.'], no: [['a b']] },
    domainname: text('example.org'),
    entrypoint: words,
    env_file: deny('.env', [{ path: '/etc/passwd' }]),
    environment: { yes: [{ A: 'b', N: 5, B: true }, ['A=b', 'E=']], no: [['A'], { A: null }, 'A=b', { A: ['x'] }, { '1A': 'x' }, { LD_PRELOAD: '/x' }] },
    expose: { yes: [['80', 8080, '9000-9010', '53/udp']], no: [['http'], [99_999]] },
    extends: { yes: ['db', { service: 'db' }], no: ['other', 'web', { file: 'x.yml', service: 'db' }, ['db'], {}] },
    'extends.service': { yes: ['db'], no: ['other', ['db']] },
    'extends.file': deny('other.yml', '/etc/passwd'),
    external_links: deny(['other']),
    extra_hosts: {
      yes: [['a:1.2.3.4', 'me:127.0.0.1', 'b=9.9.9.9', 'six:[2606:4700::1]'], { a: '1.2.3.4' }],
      no: [['a:host-gateway'], ['a:169.254.169.254'], ['a:10.0.0.1'], ['a:192.168.1.1'], ['a:172.17.0.1'], ['a:::ffff:10.0.0.1'], ['a:fd00::1'], ['a:0x7f.1'], ['a:2130706433'], ['a'], { a: 'host-gateway' }],
    },
    gpus: { yes: [[]], no: ['all', [{ driver: 'nvidia' }]] },
    group_add: deny(['docker'], [0]),
    healthcheck: { yes: [{ test: ['CMD', 'true'] }, { test: 'true' }, {}], no: ['true', { on: 'x' }] },
    'healthcheck.test': { yes: [['CMD', 'x'], ['CMD-SHELL', 'x'], 'x', ['NONE']], no: [['x'], ['CMD'], ['CMD-SHELL', 'a', 'b'], ['NONE', 'x']] },
    'healthcheck.disable': flag,
    'healthcheck.interval': range(['5s', '1m30s', '1h'], ['1ms', '0s', '9h', 'often', 5]),
    'healthcheck.timeout': range(['5s'], ['1ms', '11m', 'x']),
    'healthcheck.retries': range([3, '5'], [-1, 1000, 'x']),
    'healthcheck.start_period': range(['30s', '0s'], ['9h', 'x']),
    'healthcheck.start_interval': ignored('1s'),
    hostname: { yes: ['web-1'], no: ['a b', '-a', 'a/b', ['x'], 'x'.repeat(64)] },
    image: { yes: [WEB], no: ['registry.example.org/WEB', 'sha256:1', ['x'], '', 'docker.io/library/other:1', 'registry.example.org/absent:1'] },
    init: flag,
    ipc: { yes: ['private', 'none', 'shareable'], no: ['host', 'container:x', 'service:db'] },
    isolation: deny('process'),
    label_file: deny('x'),
    labels,
    links: { yes: [['db'], ['db:store']], no: [['other'], ['web'], ['db:a b']] },
    logging: deny({ driver: 'syslog' }, {}),
    mac_address: deny('02:42:ac:11:00:02'),
    mem_limit: size,
    mem_reservation: size,
    mem_swappiness: range([0, 60, '100'], [-1, 101, 'x']),
    memswap_limit: range(['1g', 0], [-1, '-1', 'x']),
    models: deny(['llm'], {}),
    network_mode: { yes: ['none'], no: ['host', 'bridge', 'container:x', 'service:db', 'other', ''] },
    networks: { yes: [['net'], { net: null }, ['default']], no: [['other'], 'net'] },
    'networks.*': { yes: [null, { aliases: ['a'] }], no: [{ address: '1' }] },
    'networks.*.aliases': { yes: [['a', 'b.c']], no: [['a b'], ['a/b']] },
    'networks.*.priority': ignored(5),
    'networks.*.gw_priority': ignored(5),
    'networks.*.ipv4_address': deny('172.17.0.1'),
    'networks.*.ipv6_address': deny('fd00::1'),
    'networks.*.link_local_ips': deny(['169.254.169.254']),
    'networks.*.mac_address': deny('02:42:ac:11:00:02'),
    'networks.*.driver_opts': deny({ a: 'b' }),
    'networks.*.interface_name': deny('eth0'),
    oom_kill_disable: denyTrue,
    oom_score_adj: deny(-1000, 0),
    pid: { no: ['host', 'container:x', 'service:db', 'private'] },
    pids_limit: range([100, '50'], [0, -1, 1e6, 'x']),
    platform: { yes: ['linux/amd64', 'linux/x86_64'], no: ['linux/arm64', 'windows/amd64', 'amd64', 'linux/amd64/v3/x'] },
    ports: {
      yes: [['8080'], [8080], ['53/udp'], [{ target: 80 }]],
      no: [['8080:80'], ['80:80/udp'], ['127.0.0.1:8080:80'], ['127.0.0.1::80'], ['[::1]:80:80'], ['8000-9000'], ['22:22'], ['80/sctp'], ['x'], '8080', [{ published: '80' }]],
    },
    'ports[].target': range([80, '8080'], [0, 70_000, 'http', '80-90']),
    'ports[].published': range([''], ['80', 8080, '8000-9000']),
    'ports[].host_ip': range([''], ['127.0.0.1', '0.0.0.0']),
    'ports[].protocol': range(['tcp', 'udp'], ['sctp', 'icmp']),
    'ports[].mode': range(['ingress'], ['host']),
    'ports[].app_protocol': ignored('http'),
    'ports[].name': ignored('web'),
    post_start: deny([{ command: 'x', user: 'root', privileged: true }]),
    pre_stop: deny([{ command: 'x' }]),
    pre_start: deny([{ image: 'evil', privileged: true, command: 'x' }]),
    privileged: denyTrue,
    profiles: { yes: [[], ['debug']], no: [{ a: 1 }] },
    provider: deny({ type: 'awesomecloud' }),
    pull_policy: ignored('build'),
    pull_refresh_after: ignored('1h'),
    read_only: flag,
    restart: range(['no', 'always', 'unless-stopped', 'on-failure', 'on-failure:10'], ['sometimes', 'on-failure:x', 'on-failure:11', 'always:3', true]),
    runtime: deny('runc', 'kata'),
    scale: range([1, 2], [-1, 1000, 'x']),
    ...Object.fromEntries(Object.entries(file).map(([key, value]) => [`secrets${key}`, swapNames(value)])),
    security_opt: {
      yes: [['no-new-privileges'], ['no-new-privileges:true'], ['no-new-privileges=true']],
      no: [['seccomp:unconfined'], ['seccomp=unconfined'], ['apparmor:unconfined'], ['label:disable'], ['systempaths=unconfined'], ['no-new-privileges:false'], ['seccomp:/etc/x.json'], 'seccomp:unconfined'],
    },
    shm_size: range(['64m', 0], ['64g', '-1', 'x']),
    stdin_open: flag,
    stop_grace_period: range(['10s', '1m'], ['2m', '1h', 'x']),
    stop_signal: range(['SIGTERM', 'INT', '9', 15], ['SIGNOT', '0', '99']),
    storage_opt: deny({ size: '1T' }),
    sysctls: { yes: [{ 'net.core.somaxconn': 1024 }, ['net.core.somaxconn=1024']], no: [{ 'kernel.core_pattern': '|/x' }, { 'net.ipv4.ip_forward': 1 }, ['net.core.somaxconn=x'], 'x'] },
    tmpfs: { yes: ['/run', ['/run:size=64m,mode=1777', '/cache:noexec']], no: ['/run:size=64g', '/run:exec', '/run:size=x', '/proc', '/run:mode=4777', '/sys/fs/cgroup', 'run', '/run:suid'] },
    tty: flag,
    ulimits: { yes: [{ nofile: 1024 }, { core: 0 }], no: [{ memlock: -1 }, { nproc: 1e6 }, [], { rtprio: 99 }] },
    'ulimits.*': { yes: [1024, { soft: 512, hard: 1024 }], no: [-1, 1e9, { soft: 5 }, { soft: 10, hard: 5 }, { soft: 1, hard: 2, more: 3 }] },
    'ulimits.*.soft': range([1], ['x', 0]),
    'ulimits.*.hard': range([2048], ['x', 1e9]),
    use_api_socket: denyTrue,
    user: { yes: ['65534:65534'], no: ['root', '0', '0:0', '00:00', 0, 'postgres', '1000', '1000:1000', ''] },
    userns_mode: deny('host'),
    uts: deny('host'),
    volumes: {
      yes: [['vol:/data'], ['/data'], ['vol:/data:ro'], ['vol:/data:nocopy']],
      no: [['/:/host'], ['./x:/x'], ['../x:/x'], ['~/x:/x'], ['/var/run/docker.sock:/var/run/docker.sock'], ['C:\\x:/x'], ['\\\\.\\pipe\\x:/x'], ['other:/x'], ['vol:/proc'], ['vol:/data:rshared'], ['vol:/data:z'], ['vol:data'], ['a:b:c:d'], [''], 'vol:/data', [{ type: 'bind', source: '/', target: '/x' }]],
    },
    'volumes[].type': range(['volume'], ['bind', 'npipe', 'cluster', 'image', 'other', '']),
    'volumes[].source': range(['vol'], ['other', '/etc', '../x']),
    'volumes[].target': range(['/data'], ['data', '/proc/x', '/', '/a/../b', '/a//b', '/dev/x']),
    'volumes[].read_only': flag,
    'volumes[].consistency': ignored('cached'),
    'volumes[].volume': { yes: [{}], no: [{ device: '/' }] },
    'volumes[].volume.nocopy': flag,
    'volumes[].volume.labels': ignored({ a: 'b' }),
    'volumes[].volume.subpath': deny('../../x', 'x'),
    'volumes[].tmpfs': { yes: [{}], no: [{ exec: true }] },
    'volumes[].tmpfs.size': range(['64m', 1e6], ['64g', 'x']),
    'volumes[].tmpfs.mode': range(['0755'], ['4755', 'x']),
    'volumes[].bind': deny({ propagation: 'shared' }),
    'volumes[].image': deny({ subpath: 'x' }),
    volumes_from: deny(['db'], ['container:x']),
    working_dir: { yes: ['/work', '/'], no: ['work', '/a/../b', ['/x']] },
  };
}

/** A secret where the table says config. */
function swapNames({ yes = [], no = [] }: Case): Case {
  const swap = (values: readonly unknown[]): readonly unknown[] => JSON.parse(JSON.stringify(values).replaceAll('"conf"', '"sec"')) as unknown[];
  return { yes: swap(yes), no: swap(no) };
}

type Tree = Record<string, unknown>;

/** A name for each `*`, by the section that it stands in. */
const NAMES: Readonly<Record<string, string>> = { services: 'web', networks: 'net', volumes: 'vol', configs: 'conf', secrets: 'sec', depends_on: 'db', ulimits: 'nofile' };
/** What an item of a list, or a mapping, needs beside the key in question. */
const BESIDE: Readonly<Record<string, Tree>> = {
  'configs[]': { source: 'conf' },
  'secrets[]': { source: 'sec' },
  'ports[]': { target: 80 },
  'volumes[]': { type: 'volume', source: 'vol', target: '/data' },
  'depends_on.*': { condition: 'service_started' },
  'ulimits.*': { soft: 512, hard: 1024 },
};

/** A file that is accepted, with `value` at the place of `pattern`. */
function fileWith(pattern: string, value: unknown): unknown {
  const file: Tree = {
    services: { web: { image: WEB }, db: { image: DB } },
    networks: { net: {} },
    volumes: { vol: {} },
    configs: { conf: { content: 'x' } },
    secrets: { sec: { content: 'x' } },
  };
  let place = file;
  const parts = pattern.split('.');
  const last = parts.pop() ?? '';
  parts.forEach((part, i) => {
    const key = nameOf(part, parts[i - 1]);
    const beside = BESIDE[part] ?? BESIDE[`${parts[i - 1] ?? ''}.${part}`] ?? {};
    const isTmpfs = part === 'volumes[]' && (parts[i + 1] ?? last).startsWith('tmpfs');
    const inner: Tree = isTmpfs ? { type: 'tmpfs', target: '/data' } : { ...beside };
    if (part.endsWith('[]')) {
      place[key] = [inner];
      place = inner;
    } else {
      place = (place[key] ??= inner) as Tree;
    }
  });
  const section = parts.at(-1);
  if (/^(?:configs|secrets)\.\*\.(?:file|environment|external|driver|driver_opts)$/.test(pattern)) delete place['content'];
  place[nameOf(last, section)] = value;
  if (pattern === 'services.*.healthcheck' || !pattern.includes('healthcheck.') || pattern.endsWith('.test')) return file;
  place['test'] = ['CMD', 'true'];
  return file;
}

function nameOf(part: string, section: string | undefined): string {
  if (part === '*') return NAMES[section ?? ''] ?? 'web';
  return part.replace('[]', '');
}

/** What is asked for must be judged where it stands, not somewhere else. */
function near(path: string, pattern: string): boolean {
  const [head = '', tail = ''] = [pattern.split('.').slice(0, 2).join('.').replace('*', NAMES[pattern.split('.')[0] ?? ''] ?? ''), pattern.split('.').slice(2)[0] ?? ''];
  return path.startsWith(head) || path.includes(tail) || path === 'services' || path === '';
}

function isClosed(pattern: string): boolean {
  return Object.keys(COMPOSE_KEYS).some((key) => key.startsWith(`${pattern}.`));
}

describe('compose keys: the table', () => {
  it('gives every key of the research the verdict that it has there', () => {
    const { 'x-*': extension, ...keys } = FIXTURE.keys;
    expect(extension).to.equal(EXTENSION_RULE.verdict);
    // the issue asks for restarts within the job, which the gateway makes and the engine does not
    const expected = { ...keys, 'services.*.restart': 'constrain' };
    for (const [key, verdict] of Object.entries(expected)) expect(COMPOSE_KEYS[key]?.verdict, key).to.equal(verdict);
  });

  it('knows no top-level or service key that the research does not have', () => {
    const own = Object.keys(COMPOSE_KEYS).filter((key) => /^[^.]+$|^(?:services|networks|volumes|secrets|configs)\.\*\.[^.[]+$/.test(key) && !Object.hasOwn(FIXTURE.keys, key));
    // the issue asks for inline secrets, as configs have them
    expect(own).to.deep.equal(['secrets.*.content']);
  });

  it('says of every refused key what to write instead', () => {
    for (const [key, { verdict, instead, why }] of Object.entries(COMPOSE_KEYS)) {
      expect(why, key).to.match(/^[^A-Z].*[^.]$/);
      expect(instead !== undefined, key).to.equal(verdict === 'deny');
    }
  });

  it('is whole in this test', () => {
    expect(Object.keys(COMPOSE_KEYS).sort()).to.deep.equal(Object.keys(CASES).sort());
  });
});

describe('compose keys: both directions', () => {
  let site: JudgedSite;
  let lenient: JudgedSite;
  before(async () => {
    site = await composeSite();
    lenient = await composeSite(JSON.stringify({ ignore: IGNORABLE }));
  });

  for (const [key, { yes = [], no = [] }] of Object.entries(CASES)) {
    const rule = COMPOSE_KEYS[key];
    for (const value of yes) {
      it(`${key}: ${JSON.stringify(value)} is taken`, async () => {
        const verdict = await judgeCompose(site, fileWith(key, value));
        expect(verdict.accepted ? [] : verdict.reasons.map(({ text: why }) => why)).to.deep.equal([]);
        if (rule?.verdict !== 'ignore') return;
        expect(verdict.warnings.some(({ text: why }) => why.includes('not acted on'))).to.equal(true);
      });
    }
    for (const value of no) {
      it(`${key}: ${JSON.stringify(value).slice(0, 60)} is refused`, async () => {
        const verdict = await judgeCompose(site, fileWith(key, value));
        expect(verdict.accepted).to.equal(false);
        if (verdict.accepted) return;
        for (const { path, text: why } of verdict.reasons) expect(near(path, key), `${path}: ${why}`).to.equal(true);
        if (rule?.verdict === 'deny') expect(verdict.reasons.map(({ text: why }) => why).join()).to.include(rule.instead);
        // the key itself is known; what is wrong with a mapping may be a key in it
        const unknown = verdict.reasons.filter(({ code }) => code === 'compose.unknown-key');
        if (unknown.length > 0) expect(isClosed(key)).to.equal(true);
      });
    }
    if (rule?.verdict !== 'deny' || rule.correction !== 'remove') continue;
    it(`${key}: a site can pass it over, and it is still not acted on`, async () => {
      const plain = await judgeCompose(lenient, fileWith(key, no[0]));
      expect(plain.accepted, JSON.stringify(plain.accepted ? '' : plain.reasons)).to.equal(true);
      expect(plain.warnings.some(({ text: why }) => why.includes('passes it over'))).to.equal(true);
      if (typeof no[0] !== 'boolean') expect(JSON.stringify(plain.accepted ? plain.project.services.map(({ task, ...rest }) => ({ ...rest, env: task.env })) : '')).not.to.include(JSON.stringify(no[0]));
    });
  }
});
