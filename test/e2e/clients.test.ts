import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { Site } from '../support/site.ts';

const PYTHON = '/usr/bin/python3';
const VOTABLE = `<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE><FIELD name="band" datatype="char" arraysize="*"/><DATA><TABLEDATA><TR><TD>$BAND</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>`;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: string, ...words: readonly string[]): Promise<Ran> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString('utf8')));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...text };
}

function needs(file: string, packages: string): void {
  if (!existsSync(file)) throw new Error(`${file} is missing; install it with: apt-get install -y ${packages}`);
}

describe('clients that VO users have, against a gateway that runs real containers', function () {
  this.timeout(120_000);
  const site = new Site();
  let table = '';
  let sleeps = '';
  let fails = '';

  before(async () => {
    needs('/usr/lib/python3/dist-packages/pyvo/__init__.py', 'python3-pyvo');
    needs('/usr/bin/stilts', 'stilts');
    await site.open('jobs: { slots: 4, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    await site.start();
    table = await site.push('table', `echo done; cat > /output/result <<EOF\n${VOTABLE}\nEOF`);
    sleeps = await site.push('sleeps', 'exec sleep 600');
    fails = await site.push('fails', 'echo because >&2; exit 3');
  });
  after(async () => {
    // what the gateway is still tidying up is not ours to remove
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await site.close();
  });

  it('115 [P] pyvo creates, changes, runs, waits, fetches, aborts, lists and deletes', async () => {
    const { code, stdout, stderr } = await run(PYTHON, '-W', 'ignore', 'fixtures/clients/pyvo_jobs.py', `${site.url}/uws/docker`, table, sleeps, fails);
    expect(code, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal({
      created: ['PENDING', null, '1.1', true],
      document: ['pyvo', true, 0, null],
      limits: [120, true],
      parameters: [['ENV.BAND', 'g'], ['IMAGE', table]],
      multipart: [200, 'from a file'],
      ended: 'COMPLETED',
      result_uri: true,
      results: true,
      rows: ['g'],
      sizes: [5],
      failed: 'ERROR',
      reason: ['Query Error', 'fatal', true],
      aborted: 'ABORTED',
      list: true,
      'by phase': [true, true],
      last: true,
      after: [true, true],
      whole: ['PENDING', 'ABORTED', 'ERROR', 'COMPLETED'],
      deleted: [404, 404, 404, 404],
      empty: [],
      refused: 400,
    });
  });

  it('116 [P] stilts tapresume waits for a job and reads its result', async () => {
    const job = await site.submit({ IMAGE: await site.push('later', `sleep 1; cat > /output/result <<EOF\n${VOTABLE}\nEOF`), 'ENV.BAND': 'z', PHASE: 'RUN' });
    const { code, stdout, stderr } = await run('stilts', 'tapresume', `joburl=${job}`, 'delete=never', 'ofmt=csv', 'out=-');
    expect(code, stderr).to.equal(0);
    expect(stdout.trim().split('\n')).to.deep.equal(['band', 'z']);
    expect((await site.job(job)).phase).to.equal('COMPLETED');
  });

  it('116 [P] stilts tapresume deletes the job when it is told to', async () => {
    const job = await site.submit({ IMAGE: table, 'ENV.BAND': 'y', PHASE: 'RUN' });
    expect((await run('stilts', 'tapresume', `joburl=${job}`, 'delete=finished', 'ofmt=csv', 'out=-')).stdout.trim().split('\n')).to.deep.equal(['band', 'y']);
    expect((await fetch(job)).status).to.equal(404);
  });

  it('116 [P] stilts tapresume tells of a job that failed', async () => {
    const job = await site.submit({ IMAGE: fails, PHASE: 'RUN' });
    const { code, stderr } = await run('stilts', 'tapresume', `joburl=${job}`, 'delete=never');
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/TAP Execution error|exit code 3/);
  });
});
