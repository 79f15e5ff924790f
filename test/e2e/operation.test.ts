import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fill } from '../faults/full-disk.ts';
import { Site } from '../support/site.ts';

const FREE = 8 * 2 ** 20;

describe('a site in operation', () => {
  const site = new Site();
  let quick = '';
  let slow = '';
  let data = '';

  before(async () => {
    data = join(site.folder, 'small-disk');
    mkdirSync(data);
    // a disk of its own, that can be filled without harm
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', data]).status, 'mount').to.equal(0);
    await site.open(`data: ${data}\njobs: { slots: 2, defaultCores: 0.2, defaultMemory: 32M, grace: 1s }\ndisk: { keepFree: ${String(FREE / 2 ** 20)}M }\n`);
    quick = await site.push('quick', 'echo done; echo data > /output/data.txt');
    slow = await site.push('slow', 'trap "exit 0" TERM; while [ ! -e /output/go ]; do sleep 0.1; done');
    await site.start();
  });
  after(async () => {
    await site.end('SIGKILL');
    spawnSync('umount', [data]);
    await site.close();
  });

  const config = (): string => join(site.folder, 'pratique.yaml');
  const pratique = (...words: string[]): { code: number | null; out: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', ...words], { encoding: 'utf8' });
    return { code: status, out: stdout + stderr };
  };
  const accepts = async (): Promise<{ reponseword: string; reponseinfo?: { reasons: { code: string }[] } }> =>
    (await (await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${quick}`)).json()) as { reponseword: string; reponseinfo?: { reasons: { code: string }[] } };

  it('takes no new jobs while its disk is nearly full, serves what is there, and goes on when there is room', async () => {
    const done = await site.submit({ IMAGE: quick, PHASE: 'RUN' });
    expect((await site.ended(done)).phase).to.equal('COMPLETED');
    const running = await site.submit({ IMAGE: slow, PHASE: 'RUN' });
    await site.reaches(running, 'EXECUTING');
    writeFileSync(join(data, 'filler'), Buffer.alloc(64 * 2 ** 20 - FREE));
    let refused = await site.post('/uws/docker', { IMAGE: quick });
    for (; refused.status === 303; refused = await site.post('/uws/docker', { IMAGE: quick })) await new Promise((go) => setImmediate(go));
    expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([503, '60']);
    expect(await refused.text()).to.contain('nearly full');
    const no = await accepts();
    expect([no.reponseword, no.reponseinfo?.reasons[0]?.code]).to.deep.equal(['NO', 'site.disk']);
    expect(await (await fetch(`${site.url}/availability`)).text()).to.contain('<vosi:available>false<').and.to.contain('nearly full');
    expect(await site.result(done, 'data.txt')).to.equal('data\n');
    await site.post(new URL(`${running}/phase`).pathname, { PHASE: 'ABORT' });
    expect((await site.ended(running)).phase).to.equal('ABORTED');
    rmSync(join(data, 'filler'));
    for (let answer = no; answer.reponseword !== 'YES'; ) answer = await accepts();
    expect((await site.ended(await site.submit({ IMAGE: quick, PHASE: 'RUN' }))).phase).to.equal('COMPLETED');
  });

  it('is backed up while it runs and restored elsewhere: what was under way has ended, the rest is as it was', async () => {
    const done = await site.submit({ IMAGE: quick, PHASE: 'RUN' });
    expect((await site.ended(done)).phase).to.equal('COMPLETED');
    const running = await site.submit({ IMAGE: slow, PHASE: 'RUN' });
    await site.reaches(running, 'EXECUTING');
    const file = join(site.folder, 'backup.tar');
    const made = pratique('backup', file, '--config', config());
    expect(made.code, made.out).to.equal(0);
    expect(pratique('restore', file, '--replace', '--config', config()).out).to.contain('in use');
    await fetch(running, { method: 'DELETE' });
    expect(await site.end('SIGTERM')).to.equal(0);

    // another folder on another disk, as after the loss of the first
    writeFileSync(config(), readFileSync(config(), 'utf8').replace(`data: ${data}`, `data: ${join(site.folder, 'elsewhere')}`));
    const restored = pratique('restore', file, '--config', config());
    expect(restored.code, restored.out).to.equal(0);
    expect(restored.out).to.contain('1 jobs that were under way');
    await site.start();
    expect(await site.result(done, 'stdout')).to.equal('done\n');
    expect(await site.result(done, 'data.txt')).to.equal('data\n');
    const lost = await site.job(running);
    expect([lost.phase, lost.errorSummary?.type]).to.deep.equal(['ERROR', 'transient']);
    expect((await site.ended(await site.submit({ IMAGE: quick, PHASE: 'RUN' }))).phase).to.equal('COMPLETED');
  });

  it('does not start on a disk without room for what the start writes, and says so; it starts when there is some', async () => {
    await site.end('SIGTERM');
    writeFileSync(config(), readFileSync(config(), 'utf8').replace(/^data: .*$/m, `data: ${data}`));
    const free = fill(join(data, 'filler'));
    const { code, out } = pratique('serve', '--config', config());
    free();
    expect(code).to.equal(2);
    expect(out).to.contain(`the store ${join(data, 'jobs.db')} cannot be opened`).and.to.contain('its disk fails, or is full');
    await site.start();
    expect((await site.ended(await site.submit({ IMAGE: quick, PHASE: 'RUN' }))).phase).to.equal('COMPLETED');
  });

  it('does not start on a store that is damaged, and names it', () => {
    const damaged = join(site.folder, 'damaged');
    mkdirSync(damaged);
    writeFileSync(join(damaged, 'jobs.db'), 'not a database at all, but long enough to be read as one'.repeat(100));
    const file = join(site.folder, 'damaged.yaml');
    writeFileSync(file, `listen: { port: 0 }\ndata: ${damaged}\n`);
    const { code, out } = pratique('serve', '--config', file);
    expect([code, out]).to.deep.include.members([2]);
    expect(out).to.include(join(damaged, 'jobs.db')).and.to.include('pratique restore');
  });
});
