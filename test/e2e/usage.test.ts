import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Site } from '../support/site.ts';

/** Bytes that the job has in its memory at least. */
const HELD = 8_000_000;

/** Burns CPU until its own kernel says so, be the machine slow or fast, holding memory; then says how much it was (hundredths of a second). */
const BURN = `x=$(head -c ${String(HELD)} /dev/zero | tr '\\0' x)
cpu() { read -r _ _ _ _ _ _ _ _ _ _ _ _ _ u s cu cs _ < /proc/self/stat; own=$((u + s + cu + cs)); }
cpu
while [ $own -lt 250 ]; do i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; cpu; done
echo $own`;

interface Report {
  readonly rows: readonly { readonly name: string; readonly jobs: number; readonly cpuSeconds: number; readonly peakMemory: number }[];
}

describe('what jobs use, on a real engine', function () {
  this.timeout(120_000);
  const site = new Site();
  const urls: string[] = [];

  before(async () => {
    await site.open('jobs: { slots: 2, defaultCores: 1, defaultMemory: 64M, grace: 1s }\n');
    await site.push('burns', BURN);
    await site.push('stays', `${BURN}\ntrap 'exit 0' TERM; while :; do sleep 0.1; done`);
    await site.start();
  });
  after(() => site.close());

  const number = async (url: string, name: string): Promise<number> => Number((await site.job(url)).jobInfo?.[name] ?? 0);
  const report = (...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts', 'usage', '--config', join(site.folder, 'pratique.yaml'), ...words], { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    return stdout;
  };
  const told = (by: string): Report => JSON.parse(report('--by', by, '--json')) as Report;

  it('is told while a job runs and stays when it is ended: about what the job itself has counted', async () => {
    const url = await site.submit({ IMAGE: `${site.registry.host}/job/stays:1`, PHASE: 'RUN' });
    urls.push(url);
    await site.reaches(url, 'EXECUTING');
    let said = '';
    while (!said.endsWith('\n')) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      said = await site.result(url, 'stdout');
    }
    const own = Number(said) / 100;
    // nothing was used since: the next measurement has it all
    while ((await number(url, 'cpuSeconds')) < own * 0.9) await new Promise((resolve) => setTimeout(resolve, 100));
    await site.post(new URL(`${url}/phase`).pathname, { PHASE: 'ABORT' });
    const { phase, jobInfo } = await site.ended(url);
    expect(phase).to.equal('ABORTED');
    while ((await number(url, 'resultBytes')) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(jobInfo?.wallSeconds).to.be.at.least(own * 0.9);
    expect(await number(url, 'cpuSeconds')).to.be.within(own * 0.9, own * 2);
    expect(await number(url, 'peakMemory')).to.be.within(HELD, 64 * 2 ** 20);
    expect(await number(url, 'resultBytes')).to.equal(said.length);
  });

  it('is known of a job that ends by itself, up to when it was measured last', async () => {
    const url = await site.submit({ IMAGE: `${site.registry.host}/job/burns:1`, PHASE: 'RUN' });
    urls.push(url);
    const { phase, startTime, endTime, jobInfo } = await site.ended(url);
    expect(phase).to.equal('COMPLETED');
    const own = Number(await site.result(url, 'stdout')) / 100;
    expect(jobInfo?.cpuSeconds).to.be.greaterThan(0).and.at.most(own * 1.5);
    expect(String(jobInfo?.usageMeasuredAt) >= String(startTime) && String(jobInfo?.usageMeasuredAt) <= new Date(Date.parse(String(endTime)) + 60_000).toISOString()).to.equal(true);
  });

  it('is that of all containers of a compose file', async () => {
    const spin = { image: `${site.registry.host}/job/stays:1`, command: ['sh', '-c', 'while :; do :; done'] };
    const url = await site.submit({ COMPOSEFILE: JSON.stringify({ services: { one: spin, two: spin } }), PHASE: 'RUN' }, 'compose');
    urls.push(url);
    while ((await number(url, 'cpuSeconds')) < 0.5) await new Promise((resolve) => setTimeout(resolve, 100));
    await site.post(new URL(`${url}/phase`).pathname, { PHASE: 'ABORT' });
    while ((await number(url, 'resultBytes')) === 0 && (await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await number(url, 'cpuSeconds')).to.be.at.least(0.5);
  });

  it('is reported by job and image while the gateway runs, also of jobs that are gone, and when none runs', async () => {
    const sum = (await Promise.all(urls.map((url) => number(url, 'cpuSeconds')))).reduce((a, b) => a + b, 0);
    for (const url of urls) {
      const row = told('job').rows.find(({ name }) => url.endsWith(`/${name}`));
      expect(row).to.include({ jobs: 1, cpuSeconds: await number(url, 'cpuSeconds'), peakMemory: await number(url, 'peakMemory') });
    }
    expect(told('image').rows.map(({ name }) => name).sort()).to.deep.equal(['burns', 'stays'].map((name) => `${site.registry.host}/job/${name}`));
    await fetch(urls[0] ?? '', { method: 'DELETE' });
    await site.end('SIGTERM');
    const [all] = told('owner').rows;
    expect(all).to.include({ name: '(anonymous)', jobs: 3 });
    expect(all?.cpuSeconds).to.be.closeTo(sum, 0.01);
    expect(report('--since', '2026-01-01', '--csv')).to.match(/^owner,jobs,.*\r\n"\(anonymous\)",3,0,/);
    expect(report()).to.match(/^from .* to .*\n\nowner +jobs/).and.to.match(/\(anonymous\) +3 +0 /);
  });

  it('counts for the quota of CPU time, also what was used before the gateway was started', async () => {
    appendFileSync(join(site.folder, 'pratique.yaml'), 'quotas: { owner: { cpuHours: 0.001 } }\n');
    await site.start();
    const image = `${site.registry.host}/job/burns:1`;
    const answer = (await (await fetch(`${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`)).json()) as { reponseword: string; reponseinfo: { reasons: { code: string }[] } };
    expect([answer.reponseword, answer.reponseinfo.reasons[0]?.code]).to.deep.equal(['NO', 'quota.cpuHours']);
    const refused = await site.post('/uws/docker', { IMAGE: image, PHASE: 'RUN' });
    expect(refused.status).to.equal(429);
    expect(Number(refused.headers.get('retry-after'))).to.be.within(3600, 24 * 3600);
    expect(await refused.text()).to.contain('hours of CPU time within a day');
  });
});
