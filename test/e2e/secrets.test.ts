import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import Docker from 'dockerode';
import { Site } from '../support/site.ts';

const VALUE = 'hunter2-Zq81mXw0';
/** So that a value is found whatever it is written in. */
const FORMS = [VALUE, Buffer.from(VALUE).toString('base64').slice(0, -4), Buffer.from(VALUE).toString('hex')];

const docker = new Docker();

describe('secrets, on a real engine', () => {
  const site = new Site();
  let tells = '';
  let waits = '';

  before(async () => {
    await site.open('jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }');
    tells = await site.push('tells', `
cd /run/secrets; ls -la; stat -c '%a %u:%g %n' . *; wc -c *; sha256sum token; id -u
echo over > token; echo new > other; grep ' /run/secrets ' /proc/mounts`);
    waits = await site.push('waits', 'test -s /run/secrets/token && echo there; sleep 600');
    await site.start();
  });
  after(() => site.close());

  function mustNotHold(text: string, where: string): void {
    for (const form of FORMS) expect(text.includes(form), `the secret is in ${where}`).to.equal(false);
  }

  /** Everything that anybody can read of the job, and everything in the site's folder. */
  async function lookEverywhere(job: string): Promise<void> {
    for (const path of ['', '/parameters', '/parameters/SECRET.token', '/events', '/error', '/results']) {
      for (const Accept of ['application/json', 'application/xml', 'text/html', '*/*']) {
        const aborter = new AbortController();
        const response = await fetch(`${job}${path}`, { headers: { Accept }, signal: aborter.signal });
        const stream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
        mustNotHold(JSON.stringify([...response.headers]), `the headers of ${path}`);
        if (!stream) mustNotHold(await response.text(), `${path} as ${Accept}`);
        aborter.abort();
      }
    }
    mustNotHold(site.log, 'the log');
    for (const name of readdirSync(site.folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(site.folder, name);
      if (statSync(file).isFile()) mustNotHold(readFileSync(file).toString('latin1'), name);
    }
    const filters = { label: [`pratique.gateway=${site.gatewayName}`] };
    for (const { Id } of await docker.listContainers({ all: true, filters })) mustNotHold(JSON.stringify(await docker.getContainer(Id).inspect()), 'a container');
    mustNotHold(JSON.stringify(await docker.listVolumes({ filters })), 'a volume');
  }

  it('are files in memory that only the job reads', async () => {
    const job = await site.submit({ IMAGE: tells, 'SECRET.token': VALUE, 'secret.other': 'x\u0001y', PHASE: 'RUN' });
    const document = await site.ended(job);
    expect(document.phase, JSON.stringify(document)).to.equal('COMPLETED');
    const said = await site.result(job, 'stdout');
    const user = /^(\d+)$/m.exec(said)?.[1] ?? '';
    expect(said).to.match(new RegExp(`^400 ${user}:\\d+ token$`, 'm')).and.to.match(new RegExp(`^500 ${user}:\\d+ \\.$`, 'm'));
    expect(said).to.include(execFileSync('sha256sum', { input: VALUE, encoding: 'utf8' }).slice(0, 64));
    expect(said).to.match(/^tmpfs \/run\/secrets tmpfs ro,/m);
    expect(said.split('\n').filter((line) => /^-r/.test(line))).to.have.length(2);
    expect(await site.result(job, 'stderr')).to.match(/token: (?:Read-only|Permission)/).and.to.match(/other: (?:Read-only|Permission)/);
    expect(user).not.to.equal('0');
    await lookEverywhere(job);
    expect(await fetch(`${job}/parameters`, { headers: { Accept: 'application/json' } }).then((response) => response.json()))
      .to.deep.include({ 'SECRET.token': { secret: true }, 'SECRET.other': { secret: true } });
  });

  it('outlive a gateway that is killed before the job runs; are nowhere while it runs, and gone when it is over', async () => {
    const job = await site.submit({ IMAGE: waits, 'SECRET.token': VALUE });
    await lookEverywhere(job);
    await site.end('SIGKILL');
    await site.start();
    expect((await site.post(new URL(`${job}/phase`).pathname, { PHASE: 'RUN' })).status).to.equal(303);
    await site.reaches(job, 'EXECUTING');
    while ((await site.result(job, 'stdout')) === '') await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await site.result(job, 'stdout')).to.equal('there\n');
    await lookEverywhere(job);
    await site.post(new URL(`${job}/phase`).pathname, { PHASE: 'ABORT' });
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    await lookEverywhere(job);
  });

  it('are refused in a URL, and no error repeats them', async () => {
    const inUrl = await site.post(`/uws/docker?SECRET.token=${VALUE}`, { IMAGE: tells });
    const repeated = await site.post('/uws/docker', { IMAGE: tells, 'SECRET.token': VALUE, 'secret.TOKEN': VALUE });
    const reference = await site.post('/uws/docker', { IMAGE: '!', 'SECRET.token': `param:${VALUE}` });
    for (const response of [inUrl, repeated, reference]) {
      expect(response.status).to.equal(400);
      mustNotHold(await response.text(), 'an error');
    }
    mustNotHold(site.log, 'the log');
  });
});
