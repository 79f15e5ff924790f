import { expect } from 'chai';
import { SystemClock } from '../../src/clock.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { DockerPreflight, preflightLines } from '../../src/engine/docker-preflight.ts';
import { type EngineConfig, engineSchema } from '../../src/engine/engine-config.ts';
import { PINNED_TASK } from '../support/jobs.ts';

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
