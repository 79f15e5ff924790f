import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../src/clock.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { DockerPreflight, preflightLines } from '../../src/engine/docker-preflight.ts';
import { type EngineConfig, engineSchema } from '../../src/engine/engine-config.ts';
import { PINNED_TASK } from '../support/jobs.ts';
import { Site } from '../support/site.ts';

/** What an engine on this machine says when it is to make an image present that no registry has. */
async function refusalWith(section: object): Promise<string> {
  const [config, clock] = [engineSchema.parse(section), new SystemClock()];
  const preflight = new DockerPreflight(config, process.env, clock);
  const engine = new DockerEngine({ config, gateway: 'preflight-test', clock, environment: process.env, preflight });
  try {
    await engine.ensureImage(PINNED_TASK.image, () => undefined, AbortSignal.timeout(30_000));
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    preflight.close();
    await engine.close();
  }
}

describe('preflight on the real engine', () => {
  let config: EngineConfig;
  let lacking: readonly string[];

  before(async () => {
    config = engineSchema.parse({});
    const preflight = new DockerPreflight(config, process.env, new SystemClock());
    const report = await preflight.ask();
    preflight.close();
    lacking = report.checks.filter(({ has }) => !has).map(({ name }) => name);
    for (const line of preflightLines(report)) console.log(`      ${line}`);
  });

  it('finds everything here that every sandbox is made of', () => {
    expect(lacking.filter((name) => ['engine', 'memory-limit', 'swap-limit', 'process-limit', 'cpu-limit', 'docker-init', 'runtime', 'seccomp'].includes(name))).to.deep.equal([]);
  });

  it('refuses jobs, before anything is pulled, where something is required that is not there', async () => {
    const runtime = await refusalWith({ runtime: 'no-such-runtime' });
    expect(runtime).to.equal('the container engine lacks what this site requires of it: runtime');
    for (const name of lacking) expect(await refusalWith({ require: [name] })).to.equal(`the container engine lacks what this site requires of it: ${name}`);
    expect(await refusalWith({ require: ['seccomp'] })).not.to.include('lacks');
  });
});

describe('a gateway whose site requires what its engine does not have', () => {
  const site = new Site();
  after(() => site.close());

  it('says so by the same reason at /accepts, at the creation and at RUN, and starts nothing', async () => {
    await site.open('jobs: { slots: 10, lease: 1, defaultCores: 0.1, defaultMemory: 64M }\n');
    const preflight = new DockerPreflight(engineSchema.parse({}), process.env, new SystemClock());
    const missing = (await preflight.ask()).checks.find(({ has }) => !has)?.name;
    preflight.close();
    if (missing === undefined) throw new Error('this engine has everything, so that nothing is tested');
    await site.start();
    const image = await site.push('pending', 'true');
    const pending = await site.submit({ IMAGE: image });
    await site.end('SIGTERM');
    const file = join(site.folder, 'pratique.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('engine: {', `engine: { require: [${missing}],`));
    await site.start();
    const text = `the container engine lacks what this site requires of it: ${missing}`;
    const asked = new URLSearchParams({ tasktype: 'uri://docker-container', 'taskinfo.image': image });
    for (const question of ['tasktype=uri://docker-container', asked.toString()]) {
      const answer = (await (await fetch(`${site.url}/accepts?${question}`)).json()) as { reponseword: string; reponseinfo: { reasons: readonly object[] } };
      expect([answer.reponseword, answer.reponseinfo.reasons]).to.deep.equal(['NO', [{ httpcode: 403, code: 'policy.engine', path: 'tasktype', text }]]);
    }
    for (const more of [{}, { PHASE: 'RUN' }]) {
      const created = await site.post('/uws/docker', { IMAGE: image, ...more });
      expect([created.status, await created.text()]).to.deep.equal([403, `Refused: policy.engine: ${text}\n`]);
    }
    await site.post(`${pending}/phase`, { PHASE: 'RUN' });
    const job = await site.ended(pending);
    expect([job.phase, job.errorSummary?.message]).to.deep.equal(['ERROR', `refused by the policy: ${text}`]);
    expect(await site.remains()).to.deep.equal([]);
  });
});
