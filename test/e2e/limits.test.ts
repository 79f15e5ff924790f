import { expect } from 'chai';
import Docker from 'dockerode';
import { Site } from '../support/site.ts';

/** Seconds. */
const LIMIT = Number(process.env.LIMIT ?? 4);
const AWAY = 2 * LIMIT;

const docker = new Docker();

describe('a limit that passes while no gateway runs', () => {
  const site = new Site();
  let image = '';

  before(async () => {
    await site.open('jobs: { slots: 2, grace: 1s }\n');
    image = await site.push('stays', "trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done");
    await site.start();
  });
  after(() => site.close());

  /** Resolves when the engine's clock shows that the container has run for so long. */
  async function hasRun(seconds: number): Promise<void> {
    const [container] = await docker.listContainers({ filters: { label: [`pratique.gateway=${site.gatewayName}`], status: ['running'] } });
    if (container === undefined) throw new Error('no container runs');
    const { State } = await docker.getContainer(container.Id).inspect();
    while (Date.parse(((await docker.info()) as { SystemTime: string }).SystemTime) - Date.parse(State.StartedAt) < seconds * 1000) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  it('the next one ends the job: ABORTED, at its limit by the engine\'s clock, with what it had written, and nothing is left', async function () {
    this.timeout(60_000 + AWAY * 1000);
    const job = await site.submit({ IMAGE: image, EXECUTIONDURATION: String(LIMIT), PHASE: 'RUN' });
    const { startTime } = await site.reaches(job, 'EXECUTING');
    await hasRun(LIMIT / 4);
    await site.end('SIGKILL');
    await hasRun(AWAY);
    await site.start();
    const ended = await site.ended(job);
    expect(ended.phase).to.equal('ABORTED');
    expect(ended.startTime).to.equal(startTime);
    expect(Date.parse(ended.endTime ?? '') - Date.parse(startTime ?? '')).to.equal(LIMIT * 1000);
    expect(ended.errorSummary?.message).to.contain(`executionDuration of ${String(LIMIT)} s`).and.to.contain('because nobody could stop it at its limit');
    expect(await site.result(job, 'stdout')).to.equal('begun\n');
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });
});
