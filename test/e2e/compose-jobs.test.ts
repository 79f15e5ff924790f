import { expect } from 'chai';
import { type JobDocument, Site } from '../support/site.ts';

const STAYS = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
/** A server that says one thing to everybody who connects. */
const SERVES = 'while :; do echo served | nc -l -p 8080; done';
const ASKS = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do said=$(nc -w 2 server 8080 </dev/null) && break; sleep 0.2; done; echo "it said: $said"';

type File = Readonly<Record<string, unknown>>;

describe('compose files as jobs, end to end on a real engine', function () {
  this.timeout(120_000);
  const site = new Site();
  let image = '';

  const sh = (script: string, more: File = {}): File => ({ image, command: ['sh', '-c', script.replaceAll('$', () => '$$')], ...more });
  const run = (services: File, more: Readonly<Record<string, string>> = {}): Promise<string> => site.submit({ COMPOSEFILE: JSON.stringify({ services }), PHASE: 'RUN', ...more }, 'compose');
  /** Never comes up: the second service waits for the first to become healthy. */
  const halfWay = (): File => ({ db: sh(`echo up; ${STAYS}`, { healthcheck: { test: ['CMD', 'false'], interval: '1s', retries: 100 } }), web: sh(STAYS, { depends_on: { db: { condition: 'service_healthy' } } }) });

  before(async () => {
    await site.open('jobs: { slots: 6, lease: 1, defaultCores: 0.1, defaultMemory: 32M }\n');
    await site.start();
    image = await site.push('shell', 'echo from the image');
  });
  after(() => site.close());

  async function untilNothingRemains(): Promise<void> {
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  it('a server and a client: the client\'s exit decides, each log and both are results, and the files of both', async () => {
    const url = await run({ server: sh(`echo ready; echo page > /output/page.html; ${SERVES}`), client: sh(`${ASKS}; echo 1 > /output/table.csv; echo trouble >&2; exit 7`, { depends_on: ['server'] }) });
    expect(url).to.match(/\/uws\/compose\/c-[0-9a-f-]+$/);
    const job = await site.ended(url);
    expect(job.phase).to.equal('ERROR');
    expect(job.errorSummary?.message).to.contain('exit code 7');
    expect(await site.result(url, 'stdout')).to.equal('server | ready\nclient | it said: served\n');
    expect(await site.result(url, 'stdout.server')).to.equal('ready\n');
    expect(await site.result(url, 'stdout.client')).to.equal('it said: served\n');
    expect(await site.result(url, 'stderr.client')).to.equal('trouble\n');
    expect(await site.result(url, 'client/table.csv')).to.equal('1\n');
    expect(job.results.map(({ id }) => id).sort()).to.deep.equal(['client/table.csv', 'server/page.html', 'stderr', 'stderr.client', 'stderr.server', 'stdout', 'stdout.client', 'stdout.server']);
    expect(JSON.stringify(job.jobInfo?.images)).to.match(/server .*@sha256:.*client .*@sha256:/);
    await untilNothingRemains();
  });

  it('a container wrapped as a compose file leaves what it leaves alone, by a variable, at once', async () => {
    const alone = await site.ended(await site.submit({ IMAGE: image, COMMAND: "sh -c 'echo hi; echo out > /output/a.txt'", PHASE: 'RUN' }));
    const url = await site.submit({ COMPOSEFILE: 'services:\n  only:\n    image: ${IMAGE:?which}\n    command: [sh, -c, "echo hi; echo out > /output/a.txt"]\n', 'VAR.IMAGE': image, PHASE: 'RUN' }, 'compose');
    const wrapped = await site.ended(url);
    expect(wrapped.phase).to.equal('COMPLETED');
    const seen = (job: JobDocument): unknown => job.results.map(({ id, size }) => ({ id, size }));
    expect(seen(wrapped)).to.deep.equal(seen(alone));
    expect(await site.result(url, 'stdout')).to.equal('hi\n');
  });

  it('SERVICE says whose exit is the job\'s', async () => {
    const services = { one: sh('exit 3'), two: sh('echo two') };
    expect((await site.ended(await run(services, { SERVICE: 'two' }))).phase).to.equal('COMPLETED');
    expect((await site.ended(await run(services))).phase).to.equal('ERROR');
  });

  it('a refused file makes no job; the answer names every problem with its line', async () => {
    const response = await site.post('/uws/compose', { COMPOSEFILE: `services:\n  web:\n    image: ${image}\n    privileged: "yes"\n    volumes:\n      - /etc:/host\n  other:\n    image: docker.io/library/alpine:3\n`, PHASE: 'RUN' });
    expect(response.status).to.equal(403);
    const text = await response.text();
    expect(text).to.match(/line 4.*services\.web\.privileged/).and.match(/line 6.*services\.web\.volumes/).and.match(/line 8.*services\.other\.image/);
    expect((await (await fetch(`${site.url}/uws/compose`, { headers: { Accept: 'application/json' } })).text())).not.to.contain('PENDING');
  });

  it('a job of one list is not there under the other, by any door', async () => {
    const url = await site.submit({ COMPOSEFILE: JSON.stringify({ services: { a: sh('true') } }) }, 'compose');
    const id = url.slice(url.lastIndexOf('/') + 1);
    const other = await site.submit({ IMAGE: image });
    for (const [list, job] of [['docker', id], ['compose', other.slice(other.lastIndexOf('/') + 1)]] as const) {
      for (const path of ['', '/phase', '/parameters', '/results', '/error', '/events', '/sharing', '/owner', '/results/stdout']) expect((await fetch(`${site.url}/uws/${list}/${job}${path}`)).status, path).to.equal(404);
      for (const path of ['', '/phase', '/parameters', '/destruction', '/executionduration', '/sharing']) expect((await site.post(`/uws/${list}/${job}${path}`, { PHASE: 'RUN' })).status, path).to.equal(404);
      expect((await fetch(`${site.url}/uws/${list}/${job}`, { method: 'DELETE' })).status).to.equal(404);
      expect(await (await fetch(`${site.url}/uws/${list}`)).text()).not.to.contain(job);
    }
    expect((await site.job(url)).phase).to.equal('PENDING');
  });

  it('is read live, aborted half-way up, and gone', async () => {
    const url = await run(halfWay());
    await site.reaches(url, 'EXECUTING');
    while (!(await site.result(url, 'stdout.db')).includes('up')) await new Promise((resolve) => setTimeout(resolve, 100));
    await site.post(`${url}/phase`, { PHASE: 'ABORT' });
    expect((await site.ended(url)).phase).to.equal('ABORTED');
    await untilNothingRemains();
    expect(await site.result(url, 'stdout')).to.equal('db | up\n');
  });

  it('says why it could not come up', async () => {
    const job = await site.ended(await run({ setup: sh('exit 4'), web: sh(STAYS, { depends_on: { setup: { condition: 'service_completed_successfully' } } }) }));
    expect(job.phase).to.equal('ERROR');
    expect(job.errorSummary?.message).to.equal('service web cannot start: it waits for setup to be completed, which ended with exit code 4');
  });

  it('kill -9 in the middle of the way up: the next gateway brings it up, and every service has run once', async () => {
    const url = await run({ setup: sh('echo set up; sleep 4'), web: sh('echo web', { depends_on: { setup: { condition: 'service_completed_successfully' } } }) });
    await site.reaches(url, 'EXECUTING');
    await site.end('SIGKILL');
    await site.start();
    expect((await site.ended(url)).phase).to.equal('COMPLETED');
    expect(await site.result(url, 'stdout')).to.equal('setup | set up\nweb | web\n');
    await untilNothingRemains();
  });

  const many = Number(process.env.COMPOSE_JOBS ?? 12);
  it(`${String(many)} jobs with aborts, failures and kills of the gateway: each ends as it should, and nothing is left`, async function () {
    this.timeout(60_000 + many * 20_000);
    const kinds: readonly { readonly phase: string; readonly services: () => File }[] = [
      { phase: 'COMPLETED', services: () => ({ server: sh(SERVES, { volumes: ['data:/data'] }), client: sh(`${ASKS}; sleep 1`, { depends_on: ['server'] }) }) },
      { phase: 'ABORTED', services: halfWay },
      { phase: 'ERROR', services: () => ({ setup: sh('sleep 1; exit 1'), web: sh(STAYS, { depends_on: { setup: { condition: 'service_completed_successfully' } } }) }) },
      { phase: 'ERROR', services: () => ({ server: sh(STAYS), broken: { image, command: ['/no/such/program'], depends_on: ['server'] } }) },
    ];
    const jobs: { readonly url: string; readonly kind: (typeof kinds)[number]; phase: string }[] = [];
    for (let i = 0; i < many; i += 1) {
      const kind = kinds[i % kinds.length] ?? (() => { throw new Error('no kind'); })();
      const { services } = kind;
      const file = JSON.stringify({ services: services(), ...(kind.phase === 'COMPLETED' ? { volumes: { data: {} } } : {}) });
      jobs.push({ kind, url: await site.submit({ COMPOSEFILE: file, PHASE: 'RUN' }, 'compose'), phase: 'QUEUED' });
    }
    const isOver = ({ phase }: { readonly phase: string }): boolean => ['COMPLETED', 'ERROR', 'ABORTED'].includes(phase);
    let kills = 0;
    while (!jobs.every(isOver)) {
      for (const job of jobs.filter((each) => !isOver(each))) {
        job.phase = (await site.job(job.url)).phase;
        if (job.phase === 'EXECUTING' && job.kind.phase === 'ABORTED') await site.post(`${job.url}/phase`, { PHASE: 'ABORT' });
      }
      // at every fifth of the way
      if (jobs.filter(isOver).length > ((kills + 1) * many) / 5) {
        kills += 1;
        await site.end('SIGKILL');
        await site.start();
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(kills).to.be.greaterThan(0);
    const documents = await Promise.all(jobs.map(({ url }) => site.job(url)));
    expect(documents.map(({ phase, errorSummary }) => `${phase} ${errorSummary?.message ?? ''}`.split(' ')[0])).to.deep.equal(jobs.map(({ kind }) => kind.phase));
    await untilNothingRemains();
  });
});
