import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Site } from '../support/site.ts';

describe('a drain during load', () => {
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open('jobs: { slots: 2 }\n');
    // runs until it is told to go on
    image = await site.push('waits', "trap 'exit 1' TERM; echo begun; while [ \"$GO\" != 1 ]; do sleep 0.1; done; echo done");
    await site.start();
  });
  after(() => site.close());

  const pratique = async (...words: string[]): Promise<{ code: number | null; out: string }> => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', ...words, '--config', join(site.folder, 'pratique.yaml')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out };
  };
  const submit = (): Promise<string> => site.submit({ IMAGE: image, PHASE: 'RUN' });
  const accepts = (): Promise<Response> => fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`, { headers: { Accept: 'application/json' } });

  it('starts no new job, loses none, ends with 0, and the next start resumes', async () => {
    const long = await submit();
    await site.reaches(long, 'EXECUTING');
    const quick = await site.submit({ IMAGE: image, 'ENV.GO': '1', PHASE: 'RUN' });
    await site.ended(quick);
    const second = await submit();
    await site.reaches(second, 'EXECUTING');
    const queued = await Promise.all([1, 2, 3].map(() => site.submit({ IMAGE: image, 'ENV.GO': '1', PHASE: 'RUN' })));

    expect(await pratique('drain', '--no-wait')).to.include({ code: 0 });
    const refused = await site.post('/uws/docker', { IMAGE: image, PHASE: 'RUN' });
    expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, '60']);
    const no = await accepts();
    expect(no.headers.get('retry-after')).to.equal('60');
    expect(await no.json()).to.have.nested.property('reponseinfo.reasons[0].code', 'site.draining');
    expect(await (await fetch(`${site.url}/availability`)).text()).to.contain('<vosi:available>false<');

    const drained = await pratique('drain', '--abort-after', '1s');
    expect(drained.code, drained.out).to.equal(0);
    expect(drained.out).to.contain('3 wait');
    for (const url of [long, second]) {
      const { phase, errorSummary } = await site.job(url);
      expect(phase).to.equal('ABORTED');
      expect(errorSummary?.message).to.contain('drained');
      expect(await site.result(url, 'stdout')).to.equal('begun\n');
    }
    for (const url of queued) expect((await site.job(url)).phase).to.equal('QUEUED');
    expect(await site.end('SIGTERM')).to.equal(0);
    expect(await pratique('drain')).to.include({ code: 2 });

    await site.start();
    for (const url of queued) expect((await site.ended(url)).phase).to.equal('COMPLETED');
    expect((await (await accepts()).json() as { reponseword: string }).reponseword).to.equal('YES');
  });

  it('can be taken back', async () => {
    await pratique('drain');
    expect((await site.post('/uws/docker', { IMAGE: image, 'ENV.GO': '1', PHASE: 'RUN' })).status).to.equal(503);
    expect(await pratique('drain', '--undo')).to.include({ code: 0 });
    expect((await site.ended(await site.submit({ IMAGE: image, 'ENV.GO': '1', PHASE: 'RUN' }))).phase).to.equal('COMPLETED');
  });
});
