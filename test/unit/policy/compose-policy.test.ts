import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { accepted, acceptedService, composeAnswer, composeSite, DB, judgeCompose, refused, WEB } from '../../support/compose-site.ts';

const one = (web: Record<string, unknown>, top: Record<string, unknown> = {}): unknown => ({ services: { web: { image: WEB, ...web } }, ...top });
const two = (web: Record<string, unknown>, db: Record<string, unknown> = {}, top: Record<string, unknown> = {}): unknown => ({ services: { web: { image: WEB, ...web }, db: { image: DB, ...db } }, ...top });

describe('compose policy: what is told', () => {
  it('tells everything together, with path, line and what to write instead', async () => {
    const file = `version: "3"
services:
  web:
    image: docker.io/other/other:1
    privileged: \${P:-yes}
    ports:
      - "8080:80"
    volumes:
      - type: bind
        source: /
        target: /host
  db:
    image: ${DB}
    network_mode: host
    environment:
      PASSWORD: $SECRET
    colour: blue
`;
    const reasons = await refused(await composeSite(), file);
    expect(reasons.map(({ code, path, line }) => `${String(line)} ${code} ${path}`)).to.deep.equal([
      '5 compose.refused-key services.web.privileged',
      '7 compose.host-port services.web.ports[0]',
      '9 compose.bind-mount services.web.volumes[0]',
      '14 compose.network services.db.network_mode',
      '16 compose.missing-variable services.db.environment.PASSWORD',
      '17 compose.unknown-key services.db.colour',
      '4 image.not-listed services.web.image',
    ]);
    expect(reasons.find(({ code }) => code === 'compose.host-port')?.text).to.equal('services.web.ports[0]: "8080" of the host would be taken from others; write "80"');
    expect(reasons.find(({ code }) => code === 'image.not-listed')?.text).to.match(/^service web: no rule of this site takes docker\.io\/other\/other:1/);
  });

  it('guesses what an unknown key was meant to be', async () => {
    expect((await refused(await composeSite(), one({ workingdir: '/x' })))[0]?.text).to.include('did you mean working_dir?');
    expect((await refused(await composeSite(), one({}, { Services: {} })))[0]?.text).to.include('did you mean services?');
  });

  it('tells what is taken and not acted on', async () => {
    const verdict = await judgeCompose(await composeSite(), one({ pull_policy: 'build', ports: ['80'], mem_swappiness: 10 }), { variables: { UNUSED: 'x' } });
    expect(verdict.accepted).to.equal(true);
    expect(verdict.warnings.map(({ path, text }) => `${path} | ${text}`)).to.deep.equal([
      'services.web.pull_policy | services.web.pull_policy is not acted on: the gateway pulls by digest what it has judged',
      'services.web.mem_swappiness | services.web.mem_swappiness: is not acted on: every service has its cores and its memory, and no swap',
      ' | the file does not use the variable "UNUSED"',
      'services.web.ports[0] | services.web.ports[0]: can be reached by the services of the job only',
    ]);
  });

  it('judges every service, those with a profile too', async () => {
    const site = await composeSite();
    expect(await composeAnswer(site, two({ profiles: ['debug'], privileged: true }))).to.equal('compose.refused-key services.web.privileged');
    expect((await accepted(site, two({ profiles: ['debug'] }))).services.map(({ name }) => name)).to.deep.equal(['db']);
    expect(await composeAnswer(site, one({ profiles: ['debug'] }))).to.equal('compose.form services');
  });

  it('records the whole judgement and that of every image, and names one decision', async () => {
    const site = await composeSite();
    const verdict = await judgeCompose(site, two({ privileged: true }));
    const entries = site.audit.entries;
    expect(entries.map(({ reference, answer }) => `${answer} ${reference.replace(/[0-9a-f]{64}/, '…')}`)).to.deep.equal([`yes ${WEB}`, `yes ${DB}`, 'no compose file sha256:…']);
    expect(entries.at(-1)).to.deep.include({ id: verdict.decision.id, rule: 'example' });
    expect(entries.at(-1)?.reasons[0]?.text).to.match(/^line 1: services\.web\.privileged/);
  });

  it('leaves no record of files that it only tries', async () => {
    const site = await composeSite();
    await judgeCompose(site, one({ container_name: 'x' }));
    expect(site.audit.entries).to.have.length(2);
  });
});

describe('compose policy: outages', () => {
  it('throws when an image cannot be judged and nothing else is wrong', async () => {
    const site = await composeSite();
    site.registry.takeDown('registry.example.org');
    const error = await judgeCompose(site, one({})).then(() => undefined, (reason: unknown) => reason);
    expect(error).to.be.instanceOf(GatewayError).and.to.include({ code: 'RegistryUnavailable' });
  });

  it('says no when something is wrong already, without an offer that nobody could check', async () => {
    const site = await composeSite();
    site.registry.takeDown('registry.example.org');
    const verdict = await judgeCompose(site, one({ container_name: 'x' })).catch((error: unknown) => error);
    expect(verdict).to.deep.include({ accepted: false });
    expect(verdict).not.to.have.property('offer');
  });

  it('asks no registry about a file that is too large', async () => {
    const site = await composeSite('{services: 2}');
    await refused(site, { services: { a: { image: WEB }, b: { image: WEB }, c: { image: WEB } } });
    expect(site.registry.asked).to.deep.equal([]);
  });

  it('asks no registry for a caller for whom there is no rule', async () => {
    const site = await composeSite('{}', 'rules:\n  - {name: staff, images: ["registry.example.org/**"], groups: [staff]}\n');
    expect(await composeAnswer(site, one({}))).to.equal('caller.no-rule ');
    expect(site.registry.asked).to.deep.equal([]);
  });
});

describe('compose policy: the rule of the image', () => {
  const rules = (config: string, more = ''): string => `rules:\n  - {name: strict, images: ["registry.example.org/**"], config: ${config}${more}}\n`;

  it('judges the command and the entrypoint of a service', async () => {
    const site = await composeSite('{}', rules('{command: [[run]], entrypoint: none}'));
    expect(await composeAnswer(site, one({ command: ['run'] }))).to.equal('yes');
    expect(await composeAnswer(site, one({ command: ['sh'] }))).to.equal('image.command services.web.command');
    expect(await composeAnswer(site, one({}))).to.equal('image.command services.web.image');
    expect(await composeAnswer(site, one({ command: ['run'], entrypoint: ['sh', '-c'] }))).to.equal('image.entrypoint services.web.entrypoint');
  });

  it('takes the command of the image away with its entrypoint', async () => {
    const site = await composeSite('{}', rules('{command: [[sh]]}'));
    expect(await composeAnswer(site, one({}))).to.equal('yes');
    expect(await composeAnswer(site, one({ entrypoint: ['x'] }))).to.equal('image.command services.web.image');
    const service = await acceptedService(site, one({ entrypoint: ['x'], command: ['sh'] }), 'web');
    expect(service.task).to.deep.include({ entrypoint: ['x'], command: ['sh'] });
  });

  it('judges the variables of a service', async () => {
    const site = await composeSite('{}', rules('{environment: {deny: ["SECRET_*"]}}'));
    expect(await composeAnswer(site, one({ environment: { SECRET_A: 'x' } }))).to.equal('env.forbidden services.web.environment.SECRET_A');
    expect(await composeAnswer(site, one({ environment: ['LD_PRELOAD=/x'] }))).to.equal('env.forbidden services.web.environment[0]');
  });

  it('judges the resources of a service, and lowers what it did not ask for', async () => {
    const site = await composeSite('{}', rules('{}', ', limits: {cores: 0.5, memory: 256M}'));
    expect((await acceptedService(site, one({}), 'web')).task.resources).to.deep.equal({ cores: 0.5, memory: 2 ** 28 });
    expect(await composeAnswer(site, one({ cpus: 1 }))).to.equal('resources.cores services.web.cpus');
    expect(await composeAnswer(site, one({ mem_limit: '1g' }))).to.equal('resources.memory services.web.mem_limit');
    expect((await acceptedService(site, one({ cpus: 0.25 }), 'web')).task.resources.cores).to.equal(0.25);
  });

  it('takes the user of the rule, and the user that a site lets a file choose', async () => {
    const imageUser = await composeSite('{}', rules('{user: numeric-non-root}', ', run: {user: image}'));
    imageUser.registry.put(WEB, { config: { user: '999:999' } });
    expect((await acceptedService(imageUser, one({}), 'web')).task.user).to.equal('999:999');
    expect(await composeAnswer(imageUser, one({ user: '999:999' }))).to.equal('yes');
    expect(await composeAnswer(imageUser, one({ user: '1000:1000' }))).to.equal('compose.refused-value services.web.user');
    const numeric = await composeSite('{user: numeric}');
    expect((await acceptedService(numeric, one({ user: '1000:1000' }), 'web')).task.user).to.equal('1000:1000');
    for (const user of ['0:0', 'root', '1000', '00:1', '1000:x']) expect(await composeAnswer(numeric, one({ user })), user).to.equal('compose.refused-value services.web.user');
  });

  it('judges again by the digests that were judged before', async () => {
    const site = await composeSite();
    const first = site.registry.put(WEB, { layers: ['one'] });
    site.registry.put(WEB, { layers: ['two'] });
    const project = await accepted(site, one({}), { pins: new Map([['web', first.manifestDigest]]) });
    expect(project.services[0]?.task.image.manifestDigest).to.equal(first.manifestDigest);
  });
});

describe('compose policy: knobs', () => {
  const KNOBS: readonly (readonly [what: string, knobs: string, file: unknown, strict: string])[] = [
    ['capabilities', '{capabilities: [NET_BIND_SERVICE]}', one({ cap_add: ['CAP_NET_BIND_SERVICE'] }), 'compose.refused-value services.web.cap_add[0]'],
    ['resolvers', '{dns: ["10.0.0.53"]}', one({ dns: '10.0.0.53' }), 'compose.refused-value services.web.dns'],
    ['kernel parameters', '{sysctls: [net.ipv4.tcp_keepalive_time]}', one({ sysctls: { 'net.ipv4.tcp_keepalive_time': 60 } }), 'compose.refused-value services.web.sysctls["net.ipv4.tcp_keepalive_time"]'.replace('["net.ipv4.tcp_keepalive_time"]', '.net.ipv4.tcp_keepalive_time')],
    ['external networks', '{networks: [shared]}', one({ networks: ['n'] }, { networks: { n: { external: true, name: 'shared' } } }), 'compose.refused-key networks.n.name, compose.external networks.n.external'],
    ['external volumes', '{volumes: [gaia]}', one({ volumes: ['gaia:/gaia:ro'] }, { volumes: { gaia: { external: true } } }), 'compose.external volumes.gaia.external'],
    ['open files', '{openFiles: 65536}', one({ ulimits: { nofile: 60_000 } }), 'compose.refused-value services.web.ulimits.nofile'],
    ['processes', '{processes: 1000}', one({ pids_limit: 1000 }), 'compose.refused-value services.web.pids_limit'],
    ['container_name', '{ignore: [services.*.container_name]}', one({ container_name: 'x' }), 'compose.refused-key services.web.container_name'],
    ['containers', '{containers: 30}', one({ scale: 30 }), 'compose.size services'],
    ['services', '{services: 11}', { services: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`s${String(i)}`, { image: WEB }])) }, 'compose.size services'],
  ];
  for (const [what, knobs, file, strict] of KNOBS) {
    it(`${what}: refused by default, taken where the site says so`, async () => {
      expect((await composeAnswer(await composeSite(), file)).split(', ').sort().join()).to.equal(strict.split(', ').sort().join());
      expect(await composeAnswer(await composeSite(knobs), file)).to.equal('yes');
    });
  }

  it('external networks: only those that are listed, whatever they are called in the file', async () => {
    const site = await composeSite('{networks: [shared]}');
    expect(await composeAnswer(site, one({ networks: ['shared'] }, { networks: { shared: { external: { name: 'bridge' } } } }))).to.include('compose.external');
    expect(await composeAnswer(site, one({ networks: ['shared'] }, { networks: { shared: { external: true, name: 'bridge' } } }))).to.include('compose.external');
    expect(await composeAnswer(site, one({ networks: ['shared'] }, { networks: { shared: { name: 'shared' } } }))).to.include('compose.refused-key');
    const service = await acceptedService(site, one({ networks: { n: { aliases: ['a'] } } }, { networks: { n: { external: true, name: 'shared' } } }), 'web');
    expect(service.networks).to.deep.equal([{ network: 'shared', external: true, aliases: ['a'] }]);
  });

  it('external volumes: read-only', async () => {
    const site = await composeSite('{volumes: [gaia]}');
    const top = { volumes: { data: { external: true, name: 'gaia' } } };
    expect(await composeAnswer(site, one({ volumes: ['data:/gaia'] }, top))).to.equal('compose.volume services.web.volumes[0]');
    const service = await acceptedService(site, one({ volumes: [{ type: 'volume', source: 'data', target: '/gaia', read_only: true }] }, top), 'web');
    expect(service.mounts).to.deep.equal([{ kind: 'shared', volume: 'gaia', target: '/gaia' }]);
  });

  const WRONG: readonly (readonly [knobs: string, said: RegExp])[] = [
    ['{capabilities: [SYS_ADMIN]}', /compose\.capabilities\[0\]/],
    ['{sysctls: [kernel.core_pattern]}', /network's own/],
    ['{ignore: [services.*.image]}', /refused key/],
    ['{ignore: [include]}', /refused key/],
    ['{services: 0}', /compose\.services/],
    ['{privileged: true}', /compose\.privileged/],
    ['{networks: ["a b"]}', /name of a network/],
  ];
  for (const [knobs, said] of WRONG) {
    it(`${knobs} is no policy`, async () => {
      const error = await composeSite(knobs).then(() => undefined, (reason: unknown) => reason);
      expect(String(error)).to.match(said);
    });
  }
});

describe('compose policy: the project', () => {
  it('has the services in the order in which they depend on each other, and the one that ends the job', async () => {
    const site = await composeSite();
    const file = { services: { c: { image: WEB, depends_on: ['b'] }, b: { image: WEB, depends_on: { a: { condition: 'service_healthy' } } }, a: { image: DB } } };
    const project = await accepted(site, file);
    expect(project.services.map(({ name }) => name)).to.deep.equal(['a', 'b', 'c']);
    expect(project.main).to.deep.equal(['c']);
    expect(project.services[0]?.healthcheck?.test).to.deep.equal(['CMD', 'true']);
    expect(project.services[1]?.dependsOn).to.deep.equal([{ service: 'a', condition: 'service_healthy' }]);
    expect((await accepted(site, file, { service: 'a' })).main).to.deep.equal(['a']);
    expect(await composeAnswer(site, file, { service: 'd' })).to.equal('compose.reference SERVICE');
    expect((await accepted(site, two({}))).main).to.deep.equal(['web', 'db']);
  });

  it('waits for no service that can never be healthy', async () => {
    const site = await composeSite();
    const file = (db: Record<string, unknown>): unknown => ({ services: { web: { image: WEB, depends_on: { db: { condition: 'service_healthy' } } }, db } });
    expect(await composeAnswer(site, file({ image: DB }))).to.equal('yes');
    expect(await composeAnswer(site, file({ image: WEB }))).to.equal('compose.reference services.web.depends_on.db');
    expect(await composeAnswer(site, file({ image: WEB, healthcheck: { test: ['CMD', 'x'] } }))).to.equal('yes');
    expect(await composeAnswer(site, file({ image: DB, healthcheck: { disable: true } }))).to.equal('compose.reference services.web.depends_on.db');
  });

  it('has everything that the file says of a service, and nothing else', async () => {
    const service = await acceptedService(await composeSite('{capabilities: [CHOWN]}'), two(
      {
        command: 'serve "on 80"', environment: { A: '$A', N: 5 }, working_dir: '/srv', hostname: 'here', domainname: 'example.org', cap_add: ['chown'],
        networks: { front: { aliases: ['www'] }, back: null }, depends_on: ['db'], volumes: ['data:/data', 'data:/ro:ro', '/scratch'], tmpfs: ['/run:size=1m,mode=0755'],
        configs: [{ source: 'conf', target: '/etc/x', mode: '0400', uid: '5' }], secrets: ['sec'], stop_signal: 'int', stop_grace_period: '20s', shm_size: '32m', pids_limit: 50,
        ulimits: { nofile: { soft: 100, hard: 200 } }, sysctls: { 'net.core.somaxconn': 128 }, extra_hosts: ['a:1.1.1.1'], dns_search: ['example.org'], cpus: 0.5, mem_limit: '128m',
        labels: { a: 'b' }, container_name: undefined, healthcheck: { test: 'curl x', interval: '5s', retries: 1 },
      },
      {},
      { networks: { front: null, back: { internal: true } }, volumes: { data: null }, configs: { conf: { content: 'c $$x' } }, secrets: { sec: { content: '$A' } } },
    ), 'web', { variables: { A: 'a$b' } });
    const { task, ...rest } = service;
    expect({ ...task, image: task.image.reference }).to.deep.equal({
      type: 'container', image: { domain: 'registry.example.org', path: 'web', tag: '1' }, command: ['serve', 'on 80'], env: { A: 'a$b', N: '5' }, resources: { cores: 0.5, memory: 2 ** 27 }, user: '65534:65534',
    });
    expect(rest).to.deep.equal({
      name: 'web', replicas: 1, workingDirectory: '/srv', hostname: 'here', domainName: 'example.org', capabilities: ['CHOWN'],
      networks: [{ network: 'front', aliases: ['www'] }, { network: 'back', aliases: [] }],
      mounts: [
        { kind: 'volume', volume: 'data', target: '/data', readOnly: false }, { kind: 'volume', volume: 'data', target: '/ro', readOnly: true }, { kind: 'anonymous', target: '/scratch' },
        { kind: 'tmpfs', target: '/run', size: 2 ** 20, mode: 0o755 },
      ],
      files: [{ path: '/etc/x', content: 'c $x', uid: 5, gid: 0, mode: 0o400 }],
      secrets: [{ name: 'sec', file: 'sec', content: 'a$b', uid: 0, gid: 0, mode: 0o444 }],
      dependsOn: [{ service: 'db', condition: 'service_started' }],
      healthcheck: { test: ['CMD-SHELL', 'curl x'], interval: 5000, timeout: 30_000, startPeriod: 0, retries: 1 },
      stopSignal: 'SIGINT', stopGrace: 20_000, sharedMemory: 2 ** 25, processes: 50, openFiles: { soft: 100, hard: 200 },
      sysctls: { 'net.core.somaxconn': '128' }, extraHosts: ['a:1.1.1.1'], dns: [], dnsOptions: [], dnsSearch: ['example.org'],
    });
  });

  it('gives links their alias, and only services that run', async () => {
    expect(await composeAnswer(await composeSite(), two({ depends_on: { absent: { required: false } } }))).to.equal('compose.reference services.web.depends_on.absent');
    const linked = await accepted(await composeSite(), two({ links: ['db:store'] }));
    expect(linked.services.map(({ name, networks }) => `${name} ${JSON.stringify(networks)}`)).to.deep.equal(['db [{"network":"default","aliases":["store"]}]', 'web [{"network":"default","aliases":[]}]']);
    expect(linked.networks).to.deep.equal(['default']);
  });

  it('divides what one job can have', async () => {
    const site = await composeSite();
    const shares = async (file: unknown): Promise<string> => (await accepted(site, file)).services.map(({ name, task: { resources } }) => `${name} ${String(resources.cores)} ${String(resources.memory / 2 ** 20)}`).join(', ');
    expect(await shares(two({}))).to.equal('web 1 512, db 1 512');
    expect(await shares(two({ cpus: 3.5, mem_limit: '3.75g' }))).to.equal('web 3.5 3840, db 0.5 256');
    expect(await shares(one({ scale: 8 }))).to.equal('web 0.5 512');
    expect(await shares(two({ deploy: { resources: { reservations: { cpus: '2', memory: '1g' } } } }))).to.equal('web 2 1024, db 1 512');
    expect(await composeAnswer(site, two({ cpus: 4 }))).to.equal('compose.resources services');
    expect(await composeAnswer(site, two({ cpus: 3 }, { cpus: 2 }))).to.equal('compose.resources services');
    expect(await composeAnswer(site, one({ scale: 9, mem_limit: '512m' }))).to.equal('compose.resources services');
    expect(await composeAnswer(site, one({ cpus: 2, deploy: { resources: { limits: { cpus: '1' } } } }))).to.equal('compose.refused-value services.web.deploy.resources.limits.cpus');
  });
});
