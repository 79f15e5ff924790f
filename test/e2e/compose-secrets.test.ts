import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { EngineRefused } from '../../src/engine/engine.ts';
import { buildImage } from '../support/oci-image.ts';
import { Site } from '../support/site.ts';
import { ComposeWorld, type ProjectStory } from './compose-world.ts';

const VALUE = 'hunter2-Kx94qbT7';
/** So that a value is found whatever it is written in. */
const FORMS = [VALUE, Buffer.from(VALUE).toString('base64').slice(0, -4), Buffer.from(VALUE).toString('hex')];
const IMAGE = 'registry.example.org/shell';
const docker = new Docker();
const sh = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ image: IMAGE, command: ['sh', '-c', script.replaceAll('$', () => '$$')], ...more });
/** What the engine tells of them, but of those that are gone by now. */
function inspected(ids: readonly string[]): string {
  const { stdout, stderr } = spawnSync('docker', ['inspect', ...ids], { encoding: 'utf8' });
  expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Error: No such object'))).to.deep.equal([]);
  return stdout;
}

function mustNotHold(text: string, where: string): void {
  for (const form of FORMS) expect(text.includes(form), `the secret is in ${where}`).to.equal(false);
}

describe('secrets of compose files, on the real engine', function () {
  this.timeout(120_000);
  const { signal } = new AbortController();
  let world: ComposeWorld;
  before(async () => {
    world = await ComposeWorld.start({ stopGrace: 2 });
    world.image = await world.docker.publish(await buildImage({ files: { '/run/secrets/image': 'of the image\n' } }));
  });
  after(() => world.stop());
  afterEach(async () => {
    expect(await world.left()).to.deep.equal([]);
  });

  async function run(file: unknown, given: Readonly<Record<string, string>>, main?: string): Promise<ProjectStory> {
    const project = await world.judge(file, {}, {}, main, Object.keys(given));
    const secrets = new Map([...Object.entries(given), ...project.services.flatMap((service) => (service.secrets ?? []).flatMap(({ name, content }) => (content === undefined ? [] : [[name, content] as const])))]);
    const jobId = await world.create(project);
    try {
      await world.projects.start(jobId, signal, secrets);
      return await world.story(jobId, await world.projects.wait(jobId, signal, { secrets }), project.services.map(({ name }) => name));
    } finally {
      await world.projects.remove(jobId);
    }
  }

  it('are files in memory of the services that list them, of their user alone, and not of others', async () => {
    const story = await run({
      services: {
        has: sh("cd /run/secrets; cat token; stat -c '%a %u:%g %n' . *; grep ' /run/secrets ' /proc/mounts | cut -d, -f1; (echo x > token) 2>/dev/null || echo kept", { secrets: ['token'] }),
        not: sh('ls /run/secrets; cat /run/secrets/token 2>/dev/null || echo none'),
      },
      secrets: { token: { external: true } },
    }, { token: VALUE });
    expect(story.parts['not']).to.equal('image\nnone\n');
    // while the gateway looks whether they are there, the engine has the folder mounted once more, which the container may see
    expect(story.parts['has']?.replace('tmpfs /run/secrets tmpfs rw\n', '')).to.equal(`${VALUE}500 65534:65534 .\n400 65534:65534 token\ntmpfs /run/secrets tmpfs ro\nkept\n`);
  });

  it('have the names, owners and modes that the file says, beside secrets with content, below a /run of its own', async () => {
    const story = await run({
      services: {
        only: sh("cd /run/secrets; cat said; cat renamed; cat elsewhere 2>/dev/null || cat /etc/elsewhere; stat -c '%a %u:%g %n' *", {
          tmpfs: ['/run'],
          secrets: [{ source: 'token', target: 'renamed', uid: '5', gid: '65534', mode: '0440' }, 'said', { source: 'said', target: '/etc/elsewhere' }],
        }),
      },
      secrets: { token: { external: true }, said: { content: 'said\n' } },
    }, { token: `${VALUE}\n` });
    expect(story.stdout).to.equal(`said\n${VALUE}\nsaid\n440 5:65534 renamed\n444 0:0 said\n`);
  });

  it('with content alone: in memory likewise, where a /run of the service\'s own would hide what its image has there', async () => {
    const read = (file: string): object => sh(`cat ${file}; grep -c ' /run/secrets ' /proc/mounts`, { secrets: ['said'] });
    const story = await run({ services: { below: { ...read('/run/secrets/said'), tmpfs: ['/run'] }, plain: read('/run/secrets/said') }, secrets: { said: { content: 'said\n' } } }, {});
    expect(story.parts).to.deep.equal({ below: 'said\n1\n', plain: 'said\n0\n' });
  });

  it('are there for a service that starts later, and again for one that is started once more', async () => {
    const story = await run({
      services: {
        first: sh('cat /run/secrets/token', { secrets: ['token'] }),
        later: sh('cat /run/secrets/token; echo x >> /output/runs; test $(wc -l < /output/runs) = 3', {
          secrets: ['token'], restart: 'on-failure:5', depends_on: { first: { condition: 'service_completed_successfully' } },
        }),
      },
      secrets: { token: { external: true } },
    }, { token: `${VALUE}\n` });
    expect(story.run.exit).to.deep.equal({ code: 0, outOfMemory: false });
    expect(story.parts).to.deep.equal({ first: `${VALUE}\n`, later: `${VALUE}\n`.repeat(3) });
  });

  it('fill the memory that there is for them', async () => {
    const uses = Array.from({ length: 32 }, (_, i) => ({ source: 'token', target: `s${String(i)}` }));
    const story = await run({ services: { only: sh('cat /run/secrets/s* | wc -c', { secrets: uses }) }, secrets: { token: { external: true } } }, { token: 'x'.repeat(32 * 1024) });
    expect(story.stdout).to.equal(`${String(2 ** 20)}\n`);
  });

  const LATER = {
    services: {
      first: sh('sleep 0.5'),
      later: sh('cat /run/secrets/token', { secrets: ['token'], depends_on: { first: { condition: 'service_completed_successfully' } } }),
      beside: sh('sleep 60'),
    },
    secrets: { token: { external: true } },
  };

  it('no container is started without them: neither at first nor later, which ends the job and says why', async () => {
    const first = await world.create(await world.judge({ ...LATER, services: { later: sh('echo ran', { secrets: ['token'] }) } }, {}, {}, undefined, ['token']));
    expect(await world.projects.start(first, signal).catch((error: unknown) => error)).to.be.instanceOf(EngineRefused).with.property('message', 'the secret token was not given');
    expect(await world.projects.inspect(first)).to.deep.include({ state: 'created' });
    await world.projects.remove(first);
    const jobId = await world.create(await world.judge(LATER, {}, {}, undefined, ['token']));
    await world.projects.start(jobId, signal);
    const ended = await world.projects.wait(jobId, signal);
    expect([ended.state, ended.exit]).to.deep.equal(['exited', { code: -1, outOfMemory: false, error: 'service later could not be started: the secret token was not given' }]);
    expect(await world.projects.inspect(jobId)).to.deep.include({ state: 'exited' });
    expect((await world.story(jobId, ended, ['later'])).parts).to.deep.equal({ later: '' });
    await world.projects.remove(jobId);
  });

  it('reach a service that starts once another gateway has taken the project over; whoever stops waiting leaves no harm behind', async () => {
    const jobId = await world.create(await world.judge(LATER, {}, {}, 'later', ['token']));
    const secrets = new Map([['token', VALUE]]);
    await world.projects.start(jobId, signal, secrets);
    const waits: Promise<unknown>[] = [];
    let begun = false;
    // until the second service starts, however often that is broken off, each time a little later; the next does not wait for the last to stop
    for (let looks = 0; !begun; looks += 1) {
      const stop = new AbortController();
      waits.push(world.projects.wait(jobId, stop.signal, { secrets }).catch(() => undefined));
      for (let look = 0; look <= looks && !begun; look += 1) begun = (await world.projects.mayStartAgain(jobId)) && (await text(await world.projects.logs(jobId, 'stdout', { follow: false, part: 'later' }))) !== '';
      stop.abort(new Error('enough'));
    }
    await Promise.all(waits);
    const successor = world.successor();
    const ended = await successor.wait(jobId, signal, { secrets });
    expect((await world.story(jobId, ended, ['later'])).parts).to.deep.equal({ later: VALUE });
    await successor.remove(jobId);
    await successor.close();
  });

  it('are gone with a project that is stopped and removed while they are brought', async () => {
    const jobId = await world.create(await world.judge(LATER, {}, {}, 'later', ['token']));
    await world.projects.start(jobId, signal, new Map([['token', VALUE]]));
    const stop = new AbortController();
    const waiting = world.projects.wait(jobId, stop.signal, { secrets: new Map([['token', VALUE]]) }).catch(() => undefined);
    while (!(await world.left()).some((line) => /^container .*secrets-/.test(line))) await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort(new Error('over'));
    await world.projects.stop(jobId, 0);
    await world.projects.remove(jobId);
    await waiting;
    expect(await world.left()).to.deep.equal([]);
  });
});

describe('secrets of compose files, from creation to removal', () => {
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open('jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }');
    image = await site.push('waits', `
cat /run/secrets/token 2>/dev/null | sha256sum
while [ "$WAITS" = yes ] && ! [ -e /gate/open ]; do sleep 0.1; done
: > /gate/open
[ "$AGAIN" = yes ] || exit 0
echo x >> /output/runs; test $(wc -l < /output/runs) = 2`);
    await site.start();
  });
  after(() => site.close());

  const SUM = execFileSync('sha256sum', { input: VALUE, encoding: 'utf8' });
  const NONE = execFileSync('sha256sum', { input: '', encoding: 'utf8' });

  /** Everything that anybody can read of the job, in the site's folder, and on the engine. */
  async function lookEverywhere(job: string): Promise<void> {
    for (const path of ['', '/parameters', '/parameters/SECRET.token', '/error', '/results']) {
      for (const Accept of ['application/json', 'application/xml', 'text/html', '*/*']) mustNotHold(await (await fetch(`${job}${path}`, { headers: { Accept } })).text(), `${path} as ${Accept}`);
    }
    mustNotHold(await (await fetch(`${site.url}/uws/compose`)).text(), 'the list');
    mustNotHold(site.log, 'the log');
    for (const name of readdirSync(site.folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(site.folder, name);
      if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) mustNotHold(readFileSync(file).toString('latin1'), name);
    }
    const filters = { label: [`pratique.gateway=${site.gatewayName}.p`] };
    const things = [...(await docker.listContainers({ all: true, filters })), ...(await docker.listImages({ filters }))].map(({ Id }) => Id);
    const { Volumes: volumes } = await docker.listVolumes({ filters });
    const names = [...things, ...volumes.map(({ Name }) => Name)];
    if (names.length > 0) mustNotHold(inspected(names), 'what the engine tells');
  }

  const fileOf = (): string => JSON.stringify({
    services: {
      gate: { image, environment: { WAITS: 'yes' }, volumes: ['gate:/gate'], secrets: ['token'] },
      blind: { image, volumes: ['/gate'] },
      later: { image, environment: { AGAIN: 'yes' }, volumes: ['/gate'], secrets: ['token'], restart: 'on-failure', depends_on: { gate: { condition: 'service_completed_successfully' } } },
    },
    volumes: { gate: null },
    secrets: { token: { external: true } },
  });

  /** Lets the first service end. */
  async function openGate(): Promise<void> {
    const [gate] = (await docker.listContainers({ filters: { label: [`pratique.gateway=${site.gatewayName}.p`, 'pratique.service=gate'] } })).map(({ Id }) => Id);
    execFileSync('docker', ['exec', gate ?? '', 'touch', '/gate/open']);
  }

  it('outlive a gateway that is killed between two services, and are seen by the services that list them and by nobody else', async () => {
    const job = await site.submit({ COMPOSEFILE: fileOf(), 'SECRET.token': VALUE, SERVICE: 'later', PHASE: 'RUN' }, 'compose');
    await site.reaches(job, 'EXECUTING');
    while (!(await site.result(job, 'stdout')).includes('gate | ')) await new Promise((resolve) => setTimeout(resolve, 100));
    await lookEverywhere(job);
    await site.end('SIGKILL');
    await openGate();
    await site.start();
    const document = await site.ended(job);
    expect(document.phase, JSON.stringify(document)).to.equal('COMPLETED');
    expect(await site.result(job, 'stdout.gate')).to.equal(SUM);
    expect(await site.result(job, 'stdout.blind')).to.equal(NONE);
    expect(await site.result(job, 'stdout.later')).to.equal(SUM.repeat(2));
    await lookEverywhere(job);
    expect(document.parameters['SECRET.token']).to.deep.equal({ secret: true });
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  it('are gone when the job is aborted and deleted', async () => {
    const job = await site.submit({ COMPOSEFILE: fileOf(), 'SECRET.token': VALUE, PHASE: 'RUN' }, 'compose');
    await site.reaches(job, 'EXECUTING');
    await site.post(new URL(`${job}/phase`).pathname, { PHASE: 'ABORT' });
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    await lookEverywhere(job);
    const running = await site.submit({ COMPOSEFILE: fileOf(), 'SECRET.token': VALUE, PHASE: 'RUN' }, 'compose');
    await site.reaches(running, 'EXECUTING');
    await fetch(running, { method: 'DELETE', redirect: 'manual' });
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  it('a site that has lost its key ends the job and says so', async () => {
    const job = await site.submit({ COMPOSEFILE: fileOf(), 'SECRET.token': VALUE, PHASE: 'RUN' }, 'compose');
    await site.reaches(job, 'EXECUTING');
    await site.end('SIGKILL');
    rmSync(join(site.folder, keyFile()));
    await site.start();
    const { phase, errorSummary } = await site.ended(job);
    expect([phase, errorSummary?.message]).to.deep.equal(['ERROR', 'SECRET.token can no longer be read']);
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  function keyFile(): string {
    const [key] = readdirSync(site.folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('secret-key'));
    return key ?? '';
  }
});
