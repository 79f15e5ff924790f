import { expect } from 'chai';
import { readCompose } from '../../../src/compose/read-compose.ts';
import { judgeKeys } from '../../../src/policy/compose-key-judge.ts';
import { composeSchema } from '../../../src/policy/compose-knobs.ts';
import { acceptedService, composeAnswer, composeSite, DB, judgeCompose, STORE, WEB } from '../../support/compose-site.ts';
import type { JudgedSite } from '../../support/site-policy.ts';

type Tree = Readonly<Record<string, unknown>>;

const one = (web: Tree, top: Tree = {}): unknown => ({ services: { web: { image: WEB, ...web }, db: { image: DB } }, ...top });
const many = (count: number, name: (i: number) => string): readonly string[] => Array.from({ length: count }, (_, i) => name(i));

/** What single rules say, where other rules would refuse the file too, or where no other test looks. */
const SAID: readonly (readonly [what: string, file: unknown, answer: string])[] = [
  ['a service with a bad name', { services: { 'a b': { image: WEB } } }, 'compose.form services["a b"]'],
  ['a network with a bad name', one({}, { networks: { 'a/b': {} } }), 'compose.form networks["a/b"]'],
  ['a volume with a bad name', one({}, { volumes: { '../x': {} } }), 'compose.form volumes["../x"]'],
  ['a config with a bad name', one({}, { configs: { '': { content: 'x' } } }), 'compose.form configs[""]'],
  ['a secret with a bad name', one({}, { secrets: { '/x': { content: 'x' } } }), 'compose.form secrets["/x"]'],
  ['more aliases than a service has', one({ networks: { net: { aliases: many(51, (i) => `a${String(i)}`) } } }, { networks: { net: {} } }), 'compose.size services.web.networks.net'],
  ['networks and no network', one({ network_mode: 'none', networks: ['net'] }, { networks: { net: {} } }), 'compose.network services.web.network_mode'],
  ['a host without a name', one({ extra_hosts: [':1.1.1.1'] }), 'compose.refused-value services.web.extra_hosts[0]'],
  ['a host without an address', one({ extra_hosts: ['name'] }), 'compose.refused-value services.web.extra_hosts[0]'],
  ['an address and no host', one({ extra_hosts: ['1.1.1.10'] }), 'compose.refused-value services.web.extra_hosts[0]'],
  ['a host with a bad name', one({ extra_hosts: ['a b:1.1.1.1'] }), 'compose.refused-value services.web.extra_hosts[0]'],
  ['a config without content', one({}, { configs: { conf: {} } }), 'compose.form configs.conf'],
  ['a secret without content', one({}, { secrets: { sec: {} } }), 'compose.form secrets.sec'],
  ['two numbers of replicas', one({ scale: 2, deploy: { replicas: 3 } }), 'compose.refused-value services.web.scale'],
  ['fewer replicas than none', one({ scale: -1 }), 'compose.refused-value services.web.scale'],
  ['a dependency that is not run', { services: { web: { image: WEB, depends_on: ['db'] }, db: { image: DB, profiles: ['x'] } } }, 'compose.reference services.web.depends_on[0]'],
  ['a dependency without replicas', { services: { web: { image: WEB, depends_on: ['db'] }, db: { image: DB, scale: 0 } } }, 'compose.reference services.web.depends_on[0]'],
  ['a link to itself', one({ links: ['web:me'] }), 'compose.reference services.web.links[0], compose.reference services.web'],
  ['an alias that is a service', { services: { web: { image: WEB, links: ['db:other'] }, db: { image: DB }, other: { image: DB } } }, 'compose.reference services.web.links[0]'],
  ['two limits of memory', one({ mem_limit: '64m', deploy: { resources: { limits: { memory: '65m' } } } }), 'compose.refused-value services.web.deploy.resources.limits.memory'],
  ['two limits of processes', one({ pids_limit: 10, deploy: { resources: { limits: { pids: 11 } } } }), 'compose.refused-value services.web.deploy.resources.limits.pids'],
  ['no cores', one({ cpus: 0 }), 'compose.refused-value services.web.cpus, resources.cores services.web.cpus'],
  ['more cores than there are', one({ cpus: 5 }), 'compose.resources services, compose.refused-value services.web.cpus'],
  ['no memory', one({ mem_limit: '-1' }), 'compose.refused-value services.web.mem_limit, resources.memory services.web.mem_limit'],
  ['more memory than there is', one({ mem_limit: '1t' }), 'compose.resources services, compose.refused-value services.web.mem_limit'],
  ['core dumps, from time to time', one({ ulimits: { core: { soft: 0, hard: 1 } } }), 'compose.refused-value services.web.ulimits.core'],
  ['core dumps that are not allowed', one({ ulimits: { core: { soft: 1, hard: 0 } } }), 'compose.refused-value services.web.ulimits.core'],
  ['a domain that is none', one({ domainname: 'a b' }), 'compose.refused-value services.web.domainname'],
  ['a long label', one({ labels: { a: 'x'.repeat(5000) } }), 'compose.refused-value services.web.labels.a'],
  ['many labels', one({ labels: Object.fromEntries(many(101, (i) => `l${String(i)}`).map((name) => [name, 'x'])) }), 'compose.size services.web'],
  ['a tmpfs with a source', one({ volumes: [{ type: 'tmpfs', source: 'x', target: '/x' }] }), 'compose.refused-value services.web.volumes[0]'],
  ['a tmpfs of nothing', one({ volumes: [{ type: 'tmpfs', target: '/x', tmpfs: { size: 0 } }] }), 'compose.refused-value services.web.volumes[0]'],
  ['memory and a volume at one place', one({ tmpfs: ['/x'], volumes: ['vol:/x'] }, { volumes: { vol: {} } }), 'compose.volume services.web.tmpfs[0]'],
  ['memory in place of the results', one({ tmpfs: '/output' }), 'compose.volume services.web.tmpfs'],
  ['memory in place of the results, in the long form', one({ volumes: [{ type: 'tmpfs', target: '/output' }] }), 'compose.volume services.web.volumes[0]'],
  ['an alias that is a link to another service', { services: { web: { image: WEB, links: ['db:store'] }, db: { image: DB }, other: { image: DB }, more: { image: DB, links: ['other:store'] } } }, 'compose.reference services.web.links[0], compose.reference services.more.links[0]'],
  ['an alias that another service has', { services: { web: { image: WEB, links: ['db:store'] }, db: { image: DB }, other: { image: DB, networks: { default: { aliases: ['store'] } } } } }, 'compose.reference services.web.links[0]'],
  ['an alias that two link to the same service by', { services: { web: { image: WEB, links: ['db:store'] }, db: { image: DB, networks: { default: { aliases: ['store'] } } }, more: { image: DB, links: ['db:store'] } } }, 'yes'],
  ['a command for a shell', one({ command: 'a > /output/b' }), 'compose.form services.web.command'],
  ['a tmpfs below nothing', one({ volumes: [{ type: 'tmpfs', target: '/x', tmpfs: { size: -1 } }] }), 'compose.refused-value services.web.volumes[0]'],
];

const GIVEN = { secrets: new Set(['token', 'other']) };
/** A service that uses `token`, which is given with the job, and these. */
const beside = (uses: readonly unknown[], web: Tree = {}, secrets: Tree = {}): unknown =>
  one({ secrets: ['token', ...uses], ...web }, { secrets: { token: { external: true }, other: { external: true }, said: { content: 'x' }, ...secrets }, configs: { conf: { content: 'x' } }, volumes: { vol: {} } });
const ZONE = many(33, (i) => `s${String(i)}`);

/** The same of secrets whose values are given with the job: `token` and `other` are. */
const SECRETS: readonly (readonly [what: string, file: unknown, answer: string])[] = [
  ['one that is given', beside([]), 'yes'],
  ['one that is not given', beside(['third'], {}, { third: { external: true } }), 'compose.missing-secret services.web.secrets[1]'],
  ['one that is not given and that no service uses', beside([], {}, { third: { external: true } }), 'yes'],
  ['one that is not given and that only a service uses which is not run', { services: { web: { image: WEB }, db: { image: DB, profiles: ['x'], secrets: ['third'] } }, secrets: { third: { external: true } } }, 'yes'],
  ['one that is not external after all', beside(['said'], {}, { said: { external: false, content: 'x' } }), 'yes'],
  ['one with content', beside([], {}, { token: { external: true, content: 'x' } }), 'compose.form secrets.token.external'],
  ['one that no parameter can be called', one({}, { secrets: { '1st': { external: true } } }), 'compose.form secrets["1st"].external'],
  ['nothing at all', one({}, { secrets: { sec: { external: false } } }), 'compose.form secrets.sec'],
  ['more than a job is given', one({ secrets: many(17, (i) => `s${String(i)}`) }, { secrets: Object.fromEntries(many(17, (i) => `s${String(i)}`).map((name) => [name, { external: true }])) }), `compose.size secrets, ${many(17, (i) => `compose.missing-secret services.web.secrets[${String(i)}]`).join(', ')}`],
  ['a plain name', beside([{ source: 'other', target: 'a_b.c-d' }]), 'yes'],
  ['the folder said', beside([{ source: 'other', target: '/run/secrets/a' }]), 'yes'],
  ['another folder', beside([{ source: 'other', target: '/etc/token' }]), 'compose.refused-value services.web.secrets[1]'],
  ['a folder within', beside([{ source: 'other', target: 'a/b' }]), 'compose.refused-value services.web.secrets[1]'],
  ['a name that not every file system takes', beside([{ source: 'other', target: 'ü' }]), 'compose.refused-value services.web.secrets[1]'],
  ['two at one place', beside([{ source: 'other', target: 'token' }]), 'compose.refused-value services.web.secrets[1]'],
  ['one with content at the same place', beside([{ source: 'said', target: '/run/secrets/token' }]), 'compose.refused-value services.web.secrets[1]'],
  ['one with content beside', beside(['said', { source: 'said', target: 'again' }, { source: 'said', target: '/etc/said' }]), 'yes'],
  ['one with content in a folder within', beside([{ source: 'said', target: 'a/b' }]), 'compose.refused-value services.web.secrets[1]'],
  ['one with content in place of the folder', beside([{ source: 'said', target: '/run/secrets' }]), 'compose.refused-value services.web.secrets[1]'],
  ['a config beside', beside([], { configs: [{ source: 'conf', target: '/run/secrets/conf' }] }), 'compose.refused-value services.web.configs[0]'],
  ['a config in place of the folder above', beside([], { configs: [{ source: 'conf', target: '/run' }] }), 'compose.refused-value services.web.configs[0]'],
  ['a config elsewhere', beside([], { configs: [{ source: 'conf', target: '/run/secrets.conf' }] }), 'yes'],
  ['something to be executed', beside([{ source: 'other', mode: '0500' }]), 'compose.refused-value services.web.secrets[1]'],
  ['what is executed beside', beside([{ source: 'said', mode: '0555' }]), 'compose.refused-value services.web.secrets[1]'],
  ['what is executed elsewhere', beside([{ source: 'said', target: '/said', mode: '0555' }]), 'yes'],
  ['owners', beside([{ source: 'other', uid: '5', gid: 6, mode: '0444' }]), 'yes'],
  ['a volume in place of the folder', beside([], { volumes: ['vol:/run/secrets'] }), 'compose.volume services.web.volumes[0]'],
  ['a volume within', beside([], { volumes: ['vol:/run/secrets/a'] }), 'compose.volume services.web.volumes[0]'],
  ['memory within', beside([], { tmpfs: '/run/secrets/a' }), 'compose.volume services.web.tmpfs'],
  ['a folder above that is memory', beside([], { tmpfs: '/run' }), 'yes'],
  ['a folder above that nobody can write to', beside([], { volumes: ['vol:/run:ro'] }), 'compose.volume services.web.volumes[0]'],
  ['a volume beside, that nobody can write to', beside([], { volumes: ['vol:/run/other:ro'] }), 'yes'],
  ['more than there is memory', beside(ZONE.map((target) => ({ source: 'other', target }))), 'compose.size services.web'],
  ['as much as there is memory', beside(ZONE.slice(2).map((target) => ({ source: 'other', target }))), 'yes'],
  ['many pages', beside(many(249, (i) => ({ source: 'said', target: `p${String(i)}` }) as unknown as string)), 'compose.size services.web'],
  ['as many pages as there are', beside(many(248, (i) => ({ source: 'said', target: `p${String(i)}` }) as unknown as string)), 'yes'],
];

const hidden = (target: string, more: object = {}): unknown => one({ configs: [{ source: 'conf', target }], ...more }, { configs: { conf: { content: 'x' } }, volumes: { vol: {} }, secrets: { said: { content: 'x' } } });

/** Files that would be there, and that the program would not see. */
const HIDDEN: readonly (readonly [what: string, file: unknown, answer: string])[] = [
  ['below a volume', hidden('/data/app/x.conf', { volumes: ['vol:/data'] }), 'compose.refused-value services.web.configs[0]'],
  ['in place of a volume', hidden('/data', { volumes: ['vol:/data'] }), 'compose.refused-value services.web.configs[0]'],
  ['below memory', hidden('/etc/x.conf', { tmpfs: '/etc' }), 'compose.refused-value services.web.configs[0]'],
  ['below an unnamed volume', hidden('/var/x.conf', { volumes: ['/var'] }), 'compose.refused-value services.web.configs[0]'],
  ['below a volume of the image', hidden('/var/db/x.conf', { image: STORE }), 'compose.refused-value services.web.configs[0]'],
  ...['/tmp/x', '/work/x/y', '/output/x', '/output'].map((target): [string, unknown, string] => [`at ${target}`, hidden(target), 'compose.refused-value services.web.configs[0]']),
  ...['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'].map((target): [string, unknown, string] => [`at ${target}, which the engine writes`, hidden(target), 'compose.refused-value services.web.configs[0]']),
  ['a secret with content, below memory: it is in memory itself', hidden('/x', { secrets: ['said'], tmpfs: '/run' }), 'yes'],
  ['a secret with content elsewhere below memory', hidden('/x', { secrets: [{ source: 'said', target: '/run/other/x' }], tmpfs: '/run' }), 'compose.refused-value services.web.secrets[0]'],
  ['a secret with content, in place of whose folder is memory', hidden('/x', { secrets: ['said'], tmpfs: '/run/secrets' }), 'compose.volume services.web.tmpfs'],
  ['two at one place', hidden('/x', { secrets: [{ source: 'said', target: '/x' }] }), 'compose.refused-value services.web.secrets[0]'],
  ['one within another', hidden('/x', { secrets: [{ source: 'said', target: '/x/y' }] }), 'compose.refused-value services.web.secrets[0]'],
  ['one around another', hidden('/x/y', { secrets: [{ source: 'said', target: '/x' }] }), 'compose.refused-value services.web.secrets[0]'],
  ['beside what hides', hidden('/data.conf', { volumes: ['vol:/data', 'vol:/x.confs'], tmpfs: ['/a/b'], secrets: ['said', { source: 'said', target: '/a/x' }] }), 'yes'],
  ['above a volume', hidden('/a/x.conf', { volumes: ['vol:/a/b'] }), 'yes'],
];

/** What is taken. */
const TAKEN: readonly (readonly [what: string, file: unknown, warning?: RegExp])[] = [
  ['consistency that nobody asks for any more', one({ volumes: ['vol:/a:cached', 'vol:/b:delegated', 'vol:/c:consistent'] }, { volumes: { vol: {} } })],
  ['nothing to be told', one({ volumes: ['vol:/a:nocopy', 'vol:/tmp/x', '/output'], tty: false, stdin_open: false, init: true, read_only: true, ipc: 'private', shm_size: '64m', tmpfs: '/x:size=64m', mem_limit: '64m' }, { volumes: { vol: {} } }), /^$/],
  ['a tmpfs without what it is without anyway', one({ tmpfs: ['/a:nosuid', '/b:nodev,noexec'] })],
  ['a volume, which begins empty', one({ volumes: ['vol:/etc/app'] }, { volumes: { vol: {} } }), /volumes\[0\]: begins empty: what the image has at "\/etc\/app" is not copied/],
  ['memory below the results', one({ tmpfs: '/output/x' }), /tmpfs: is memory: what is written to "\/output\/x" is not collected/],
  ['more shared memory than memory', one({ shm_size: '3g' }), /shm_size: is larger than the memory of the service, which is all of it that there is: [0-9]+[MG]; give it more with mem_limit/],
  ['more in a tmpfs than memory', one({ tmpfs: '/x:size=65m', mem_limit: '64m' }), /tmpfs: is larger than the memory of the service/],
  ['a terminal', one({ tty: true }), /tty: is not acted on/],
  ['an open input', one({ stdin_open: 'yes' }), /stdin_open: is not acted on/],
  ['no init', one({ init: false }), /init: is not acted on/],
  ['a root that can be written', one({ read_only: false }), /read_only: is not acted on/],
  ['no shared memory', one({ ipc: 'none' }), /ipc: is not acted on/],
  ['a service with a profile', { services: { web: { image: WEB }, debug: { image: DB, profiles: ['debug'] } } }, /services\.debug: has profiles and is not run/],
];

describe('compose rules: one by one', () => {
  let site: JudgedSite;
  before(async () => {
    site = await composeSite();
  });

  for (const [what, file, answer] of SAID) it(what, async () => expect(await composeAnswer(site, file)).to.equal(answer));

  for (const [what, file, answer] of SECRETS) it(`secrets: ${what}`, async () => expect(await composeAnswer(site, file, GIVEN)).to.equal(answer));

  for (const [what, file, answer] of HIDDEN) it(`files: ${what}`, async () => expect(await composeAnswer(site, file)).to.equal(answer));

  it('secrets: by themselves, none is given, and those with content are files as others are', async () => {
    expect(await composeAnswer(site, beside([]))).to.equal('compose.missing-secret services.web.secrets[0]');
    expect(await acceptedService(site, one({ secrets: ['said'] }, { secrets: { said: { content: 'x' } } }), 'web')).not.to.have.property('secrets');
  });

  it('secrets: pinned for the user of the service, those with content beside them as the file says, never a value that is given', async () => {
    const uses = [{ source: 'other', target: 'renamed', uid: '5', gid: '6', mode: '0440' }, { source: 'said', mode: '0400', uid: 7 }, { source: 'said', target: '/etc/said' }];
    const { secrets, files, task } = await acceptedService(site, beside(uses), 'web', GIVEN);
    const [uid, gid] = task.user.split(':').map(Number);
    expect(secrets).to.deep.equal([
      { name: 'token', file: 'token', uid, gid, mode: 0o400 },
      { name: 'other', file: 'renamed', uid: 5, gid: 6, mode: 0o440 },
      { name: 'said', file: 'said', uid: 7, gid: 0, mode: 0o400, content: 'x' },
    ]);
    expect(files).to.deep.equal([{ path: '/etc/said', content: 'x', uid: 0, gid: 0, mode: 0o444 }]);
  });

  it('secrets: what is given and no service gets is told; so is a name that would be another parameter', async () => {
    const verdict = await judgeCompose(site, beside([], {}, { token: { external: true, name: 'x' } }), GIVEN);
    expect(verdict.warnings.map(({ text }) => text)).to.deep.equal([
      'secrets.token.name is not acted on: the parameter of an external secret has the name that the file uses, SECRET.<NAME>',
      'no service of the file gets the secret "other"',
    ]);
  });

  for (const [what, file, warning] of TAKEN) {
    it(`taken: ${what}`, async () => {
      const verdict = await judgeCompose(site, file);
      expect(verdict.accepted ? [] : verdict.reasons.map(({ text }) => text)).to.deep.equal([]);
      if (warning !== undefined) expect(verdict.warnings.map(({ text }) => text).join()).to.match(warning);
    });
  }

  it('pins what a file says, where it could go by unseen', async () => {
    const top = { services: { web: { image: WEB }, db: { image: DB } } };
    const pinned = async (web: Tree) => acceptedService(site, { ...top, services: { ...top.services, web: { image: WEB, ...web } } }, 'web');
    expect((await pinned({ networks: [] })).networks.map(({ network }) => network)).to.deep.equal(['default']);
    expect((await pinned({ networks: {} })).networks.map(({ network }) => network)).to.deep.equal(['default']);
    expect((await pinned({ tmpfs: '/x:ro', volumes: [{ type: 'volume', target: '/y', read_only: true }, { type: 'tmpfs', target: '/z', read_only: true }] })).mounts.map((mount) => [mount.target, 'readOnly' in mount && mount.readOnly])).to.deep.equal([['/y', true], ['/z', true], ['/x', true]]);
    expect((await pinned({ extra_hosts: ['a:[2606:4700::1]', 'b=1.1.1.1'] })).extraHosts).to.deep.equal(['a:2606:4700::1', 'b:1.1.1.1']);
    expect((await pinned({ depends_on: { db: { condition: 'service_healthy', required: false } } })).dependsOn).to.deep.equal([{ service: 'db', condition: 'service_healthy', optional: true }]);
    expect((await pinned({ command: 'sh -c "echo \\$$A"' })).task.command).to.deep.equal(['sh', '-c', 'echo $A']);
  });

  it('pins the times of a health check: of the file, else of the image within what a file may say, else of the engine; zero says nothing', async () => {
    const healthTimes = { interval: 1, timeout: 5000, startPeriod: 90_000, retries: 1000 };
    site.registry.put('registry.example.org/slow:1', { config: { healthcheck: ['CMD', 'x'], healthTimes } });
    const times = async (healthcheck: Tree | undefined, image = 'registry.example.org/slow:1') => (await acceptedService(site, one({ image, healthcheck }), 'web')).healthcheck;
    expect(await times(undefined)).to.deep.equal({ test: ['CMD', 'x'], interval: 1000, timeout: 5000, startPeriod: 90_000, retries: 100 });
    expect(await times({ test: ['CMD', 'y'], interval: '7s', start_period: '0s', retries: 0 })).to.deep.equal({ test: ['CMD', 'y'], interval: 7000, timeout: 5000, startPeriod: 90_000, retries: 100 });
    expect(await times({ retries: 2 }, DB)).to.deep.equal({ test: ['CMD', 'true'], interval: 30_000, timeout: 30_000, startPeriod: 0, retries: 2 });
  });

  it('gives a service nothing of its rule that the file takes away, and takes nothing for what it adds', async () => {
    const rule = 'rules: [{name: example, images: ["registry.example.org/**"], config: {healthcheck: any}, run: {user: "0:0", writableRoot: true, capabilities: [CHOWN, KILL]}}]';
    const lenient = await composeSite('{capabilities: [SETUID]}', rule);
    const pinned = async (web: Tree): Promise<unknown> => {
      const { capabilities, task } = await acceptedService(lenient, one(web), 'web');
      return { capabilities, relaxed: task.relaxed };
    };
    expect(await pinned({})).to.deep.equal({ capabilities: [], relaxed: { root: 'apart', writableRoot: true, capabilities: ['CHOWN', 'KILL'] } });
    expect(await pinned({ read_only: true, cap_drop: ['cap_chown'] })).to.deep.equal({ capabilities: [], relaxed: { root: 'apart', capabilities: ['KILL'] } });
    expect(await pinned({ read_only: true, cap_drop: ['ALL'], cap_add: ['SETUID'] })).to.deep.equal({ capabilities: ['SETUID'], relaxed: { root: 'apart' } });
    expect(await pinned({ cap_add: ['SETUID'] })).to.deep.equal({ capabilities: ['CHOWN', 'KILL', 'SETUID'], relaxed: { root: 'apart', writableRoot: true, capabilities: ['CHOWN', 'KILL'] } });
    expect((await judgeCompose(lenient, one({ read_only: false }))).warnings).to.deep.equal([]);
  });

  it('another file to extend: by the table alone, though whoever resolves `extends` refuses it too', () => {
    const { root } = readCompose(JSON.stringify(one({ extends: { service: 'db', file: 'x.yml' } })), new Map());
    expect(judgeKeys(root, composeSchema.parse({})).problems.map(({ path }) => path.join('.'))).to.deep.equal(['services.web.extends.file']);
  });
});
