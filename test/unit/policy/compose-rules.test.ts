import { expect } from 'chai';
import { readCompose } from '../../../src/compose/read-compose.ts';
import { judgeKeys } from '../../../src/policy/compose-key-judge.ts';
import { composeSchema } from '../../../src/policy/compose-knobs.ts';
import { composeAnswer, composeSite, DB, judgeCompose, WEB } from '../../support/compose-site.ts';
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
  ['a tmpfs below nothing', one({ volumes: [{ type: 'tmpfs', target: '/x', tmpfs: { size: -1 } }] }), 'compose.refused-value services.web.volumes[0]'],
];

/** What is taken. */
const TAKEN: readonly (readonly [what: string, file: unknown, warning?: RegExp])[] = [
  ['consistency that nobody asks for any more', one({ volumes: ['vol:/a:cached', 'vol:/b:delegated', 'vol:/c:consistent'] }, { volumes: { vol: {} } })],
  ['a tmpfs without what it is without anyway', one({ tmpfs: ['/a:nosuid', '/b:nodev,noexec'] })],
  ['a service with a profile', { services: { web: { image: WEB }, debug: { image: DB, profiles: ['debug'] } } }, /services\.debug: has profiles and is not run/],
];

describe('compose rules: one by one', () => {
  let site: JudgedSite;
  before(async () => {
    site = await composeSite();
  });

  for (const [what, file, answer] of SAID) it(what, async () => expect(await composeAnswer(site, file)).to.equal(answer));

  for (const [what, file, warning] of TAKEN) {
    it(`taken: ${what}`, async () => {
      const verdict = await judgeCompose(site, file);
      expect(verdict.accepted ? [] : verdict.reasons.map(({ text }) => text)).to.deep.equal([]);
      if (warning !== undefined) expect(verdict.warnings.map(({ text }) => text).join()).to.match(warning);
    });
  }

  it('another file to extend: by the table alone, though whoever resolves `extends` refuses it too', () => {
    const { root } = readCompose(JSON.stringify(one({ extends: { service: 'db', file: 'x.yml' } })), new Map());
    expect(judgeKeys(root, composeSchema.parse({})).problems.map(({ path }) => path.join('.'))).to.deep.equal(['services.web.extends.file']);
  });
});
