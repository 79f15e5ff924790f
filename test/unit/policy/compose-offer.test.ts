import { expect } from 'chai';
import fc from 'fast-check';
import { ANONYMOUS } from '../../../src/caller.ts';
import type { ProjectOffer } from '../../../src/policy/verdict.ts';
import { ESCAPES, FORMS } from '../../support/compose-escapes.ts';
import { composeSite, DB, judgeCompose, refused, WEB } from '../../support/compose-site.ts';
import type { JudgedSite } from '../../support/site-policy.ts';

async function offerOf(site: JudgedSite, file: unknown, variables: Readonly<Record<string, string>> = {}, secrets: ReadonlySet<string> = new Set()): Promise<ProjectOffer | undefined> {
  const verdict = await judgeCompose(site, file, { variables, secrets });
  return verdict.accepted ? undefined : verdict.offer;
}

/** What a client would do: fill in everything, with text that is as awkward as text can be. */
function filled(offer: ProjectOffer, text: string): { readonly variables: Readonly<Record<string, string>>; readonly secrets: ReadonlySet<string> } {
  const variables = offer.parameters.filter(({ kind }) => kind !== 'secret').map(({ name, kind }) => [name, kind === 'image' ? WEB : text] as const);
  const secrets = offer.parameters.filter(({ kind }) => kind === 'secret').map(({ name }) => name.replace(/^SECRET\./, ''));
  return { variables: Object.fromEntries(variables), secrets: new Set(secrets) };
}

/** Lines of a service or of the top, each of which a corrected file can do without. */
const SERVICE_LINES: readonly string[] = [
  'container_name: mine', 'privileged: true', 'privileged: "yes" # please', 'network_mode: host', 'pid: host', 'ipc: host', 'restart: always',
  'cap_add: [SYS_ADMIN, NET_ADMIN]', 'devices: ["/dev/fuse:/dev/fuse"]', 'security_opt: ["seccomp:unconfined"]', 'env_file: .env',
  'logging: {driver: syslog}', 'user: root', 'runtime: nvidia', 'gpus: all', 'cgroup_parent: /', 'extra_hosts: ["a:host-gateway"]',
  'dns: [10.0.0.1, 8.8.8.8]', 'labels: {traefik.enable: "true", a: b}', 'platform: linux/arm64', 'stop_grace_period: 5m',
  'sysctls: {kernel.x: 1}', 'ulimits: {memlock: -1}', 'mem_limit: 900g', 'cpus: 64', 'shm_size: 900g', 'pids_limit: -1',
  'healthcheck: {test: [CMD, a], interval: 1ms}', 'tmpfs: ["/run:exec", "/x:size=900g"]', 'configs: [{source: c}]', 'secrets: [s]', 'secrets: [t, {source: u, target: /etc/u}, v]',
  'environment: {A: , B: "$B", C: c}', 'environment: [A, "B=${B}", C=c]', 'command: [run, "$WHAT"]', 'links: [db]', 'unknown_key: 1',
  'depends_on: [db]', 'working_dir: relative', 'hostname: "a b"', 'userns_mode: host', 'uts: host', 'use_api_socket: true',
  'post_start: [{command: x, privileged: true}]', 'deploy: {replicas: 1, resources: {limits: {memory: 900g}}, labels: {com.docker.x: y}}',
];
const PORT_LINES = ['"8080:80"', '"127.0.0.1:5432:5432"', '"80"', '{target: 80, published: "80", mode: host}', '"53:53/udp"', '"22:22/sctp"'];
const MOUNT_LINES = [
  './data:/data', '/srv/data:/data2:ro', '"~/x:/data3"', './conf/app.conf:/etc/app.conf:ro', '../x/init.sql:/docker-entrypoint-initdb.d/init.sql', '/var/run/docker.sock:/var/run/docker.sock',
  '/:/host', '{type: bind, source: ./y, target: /data5, read_only: true}', 'cache:/cache', 'undeclared:/other', '/anonymous', '"C:\\\\x:/w"', 'cache:/z:z', '{type: npipe, source: x, target: /n}',
];
const TOP_LINES = [
  'version: "3"', 'name: mine', 'networks: {a: {external: true, name: other}, b: {driver: host}, c: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}', 'x-note: 1', '# the end',
];
const VOLUME_LINES = ['volumes: {cache: }', 'volumes: {cache: {external: true}}', 'volumes: {cache: {driver_opts: {o: bind, device: /}, name: other}}'];

const some = (lines: readonly string[]): fc.Arbitrary<readonly string[]> => fc.uniqueArray(fc.constantFrom(...lines), { maxLength: 6, selector: (line) => line.split(':')[0] ?? '' });
const mounts = fc.uniqueArray(fc.constantFrom(...MOUNT_LINES), { maxLength: 4 });

const files = fc.record({
  build: fc.constantFrom('image: ' + WEB, 'build: .', `build: {context: .}\n    image: ${WEB}`, 'image: "${IMAGE}"', `image: ${WEB} # the web`),
  service: some(SERVICE_LINES), ports: fc.uniqueArray(fc.constantFrom(...PORT_LINES), { maxLength: 3 }), mounts, other: mounts, top: some(TOP_LINES), volumes: fc.constantFrom(...VOLUME_LINES),
}).map(({ build, service, ports, mounts: own, other, top, volumes }) => `# a comment
services:
  web: # the web
    ${build}
${service.map((line) => `    ${line}\n`).join('')}${list('ports', ports)}${list('volumes', own)}  db:
    image: ${DB}
${list('volumes', other)}${[...top, volumes].join('\n')}
configs: {c: {file: ./c.txt}}
secrets: {s: {environment: HOME}, t: {file: ./t.txt, driver: x}, u: {external: true, name: other}, v: }
`);

function list(key: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `    ${key}:\n${items.map((item) => `      - ${item}\n`).join('')}`;
}

const awkward = fc.oneof(fc.string({ maxLength: 50 }), fc.constantFrom('', ' ', '${X}', '$$', '"', "'", '#', ': ', '\n', '{{', 'yes', '/var/run/docker.sock', '--privileged', '0')).filter((text) => !text.includes('\0'));

describe('compose offers', () => {
  let site: JudgedSite;
  before(async () => {
    site = await composeSite();
  });

  it('property: whatever is offered is accepted as it is, its parameters filled in; and it is offered whenever only such changes are needed', async () => {
    await fc.assert(fc.asyncProperty(files, awkward, async (file, text) => {
      const verdict = await judgeCompose(site, file);
      if (verdict.accepted) return;
      const { offer } = verdict;
      expect(offer, `no offer for\n${file}\n${verdict.reasons.map((reason) => reason.text).join('\n')}`).not.to.equal(undefined);
      if (offer === undefined) return;
      const again = await judgeCompose(site, offer.file, filled(offer, text));
      expect(again.accepted ? [] : again.reasons.map((reason) => reason.text), offer.file).to.deep.equal([]);
      // idempotent: there is nothing more to change
      const unfilled = await judgeCompose(site, offer.file);
      if (!unfilled.accepted) {
        expect(unfilled.offer?.file).to.equal(offer.file);
        expect(unfilled.offer?.changes).to.deep.equal([]);
      }
      expect(offer.file).to.include('# a comment');
    }), { numRuns: 250 });
  });

  it('property: no offer of a hostile file, in any form, is anything but accepted and harmless', async () => {
    const tries = ESCAPES.flatMap((escape) => FORMS.map((form) => ({ escape, form })));
    await fc.assert(fc.asyncProperty(fc.constantFrom(...tries), async ({ escape, form }) => {
      const { text, variables = {} } = form.write(escape);
      const offer = await offerOf(site, text, variables);
      if (offer === undefined) return;
      const again = await judgeCompose(site, offer.file, { ...filled(offer, 'x'), variables: { ...variables, ...filled(offer, 'x').variables } });
      expect(again.accepted ? [] : again.reasons.map((reason) => reason.text), offer.file).to.deep.equal([]);
    }), { numRuns: 400 });
  });

  it('keeps comments and order, and says what it changed', async () => {
    const offer = await offerOf(site, `# top
services:
  # before
  web:
    image: ${WEB} # why
    container_name: mine
    ports:
      # http
      - "8080:80"
      - "9090"
    volumes:
      - ./data:/data # the data
`);
    expect(offer?.file).to.equal(`# top
services:
  # before
  web:
    image: ${WEB} # why
    ports:
      # http
      - "80"
      - "9090"
    volumes:
      - data:/data # the data
volumes:
  data: null
`);
    expect(offer?.changes.map(({ path }) => path)).to.deep.equal(['services.web.container_name', 'services.web.ports[0]', 'services.web.volumes[0]']);
    expect(offer?.parameters).to.deep.equal([]);
  });

  it('turns a build into the image that it would need, a file into a config, a folder into a volume', async () => {
    const offer = await offerOf(site, { services: { web: { build: '.', volumes: ['./nginx.conf:/etc/nginx/nginx.conf:ro', './www:/www:ro'] } } });
    expect(offer?.parameters).to.deep.equal([{ name: 'WEB_IMAGE', kind: 'image', secret: false }, { name: 'NGINX_CONF', kind: 'text', secret: false }]);
    const again = await judgeCompose(site, offer?.file, { variables: { WEB_IMAGE: WEB, NGINX_CONF: 'server { $host }' } });
    expect(again.accepted).to.equal(true);
    if (!again.accepted) return;
    expect(again.project.services[0]?.files).to.deep.equal([{ path: '/etc/nginx/nginx.conf', content: 'server { $host }', uid: 0, gid: 0, mode: 0o444 }]);
    expect(again.project.services[0]?.mounts).to.deep.equal([{ kind: 'volume', volume: 'www', target: '/www', readOnly: true }]);
  });

  it('leaves out a file that the engine writes, and memory that would take the results or the place of a volume', async () => {
    const offer = await offerOf(site, { services: { web: { image: WEB, volumes: ['./resolv.conf:/etc/resolv.conf', './data:/data'], tmpfs: ['/output', '/data', '/run'] } } });
    expect(offer?.parameters).to.deep.equal([]);
    const again = await judgeCompose(site, offer?.file);
    expect(again.accepted && again.project.services[0]?.mounts.map(({ kind, target }) => `${kind} ${target}`)).to.deep.equal(['volume /data', 'tmpfs /run']);
    expect(again.accepted && again.project.services[0]?.files).to.deep.equal([]);
  });

  it('writes a file with aliases anew, with everything in its place', async () => {
    const offer = await offerOf(site, `x-a: &a {container_name: x, image: "${WEB}"}\nservices:\n  web: *a\n  two:\n    <<: *a\n    container_name: y\n`);
    expect(offer?.file).to.include('services:').and.not.to.include('*a').and.not.to.match(/^ {4}container_name/m);
  });

  it('offers the file itself where only parameters are missing', async () => {
    const file = `services: {web: {image: "${WEB}", environment: {TOKEN: "$TOKEN"}}}`;
    expect(await offerOf(site, file)).to.deep.equal({ file, changes: [], parameters: [{ name: 'TOKEN', kind: 'text', secret: true }] });
  });

  it('turns a secret of elsewhere into one that is given with the job, and asks for it by name', async () => {
    const file = { services: { web: { image: WEB, secrets: ['a', { source: 'b', target: '/etc/b' }, 'c', 'd'] } }, secrets: { a: { file: './a' }, b: { environment: 'B' }, c: {}, d: { content: 'x', driver: 'y' } } };
    const offer = await offerOf(site, file);
    expect(offer?.parameters).to.have.deep.members(['a', 'b', 'c'].map((name) => ({ name: `SECRET.${name}`, kind: 'secret', secret: true })));
    expect(offer?.changes.map(({ path }) => path)).to.have.members(['secrets.a.file', 'secrets.b.environment', 'secrets.c', 'secrets.d.driver', 'services.web.secrets[1]']);
    expect(await offerOf(site, offer?.file, {}, new Set(['a', 'c']))).to.deep.equal({ file: offer?.file, changes: [], parameters: [{ name: 'SECRET.b', kind: 'secret', secret: true }] });
    expect(await offerOf(site, offer?.file, {}, new Set(['a', 'b', 'c']))).to.equal(undefined);
  });

  const NONE: readonly (readonly [what: string, file: unknown])[] = [
    ['an image that is not listed', { services: { web: { image: 'docker.io/library/other', container_name: 'x' } } }],
    ['an image that is not there', { services: { web: { image: 'registry.example.org/absent', container_name: 'x' } } }],
    ['a file that would read others', { include: ['x.yml'], services: { web: { image: WEB } } }],
    ['a provider', { services: { web: { image: WEB, provider: { type: 'x' } } } }],
    ['a variable in a judged place', { services: { web: { image: WEB, container_name: 'x', cpus: '$CPUS' } } }],
    ['half an image name', { services: { web: { image: 'registry.example.org/$NAME' } } }],
    ['too many services', { services: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`s${String(i)}`, { image: WEB }])) }],
    ['a circle', { services: { web: { image: WEB, depends_on: ['db'] }, db: { image: DB, depends_on: ['web'] } } }],
    ['a file that is none', 'services: ['],
    ['a large file', { services: { web: { image: WEB, container_name: 'x' } }, 'x-large': 'x'.repeat(70_000) }],
  ];
  for (const [what, file] of NONE) {
    it(`offers nothing for ${what}`, async () => {
      expect(await refused(site, file)).not.to.deep.equal([]);
      expect(await offerOf(site, file)).to.equal(undefined);
    });
  }

  it('offers nothing to somebody whom only a permission lacks', async () => {
    const closed = await composeSite('{}', 'rules:\n  - {name: staff, images: ["registry.example.org/**"], groups: [staff]}\n');
    const file = { services: { web: { image: WEB, container_name: 'x' } } };
    const verdict = await judgeCompose(closed, file);
    expect(verdict.accepted ? [] : verdict.reasons.map(({ code }) => code)).to.deep.equal(['caller.no-rule']);
    expect(verdict).not.to.have.property('offer');
    const staff = await judgeCompose(closed, file, { caller: { ...ANONYMOUS, id: 'a', groups: ['staff'] } });
    expect(staff.accepted ? undefined : staff.offer).not.to.equal(undefined);
  });

  it('offers nothing of images to somebody for whom a rule is that does not take them', async () => {
    const closed = await composeSite('{}', 'rules:\n  - {name: staff, images: ["registry.example.org/web"], groups: [staff]}\n  - {name: all, images: ["registry.example.org/db"]}\n');
    expect(await offerOf(closed, { services: { web: { image: WEB, container_name: 'x' } } })).to.equal(undefined);
    expect(await offerOf(closed, { services: { web: { image: DB, container_name: 'x' } } })).not.to.equal(undefined);
  });
});
