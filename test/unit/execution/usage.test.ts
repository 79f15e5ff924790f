import { expect } from 'chai';
import { join } from 'node:path';
import { ANONYMOUS, type Caller } from '../../../src/caller.ts';
import { ADMIT_ALL } from '../../../src/execution/admission.ts';
import { readUsage } from '../../../src/store/sqlite-usage-report.ts';
import type { UsageRecord } from '../../../src/store/usage-store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';
import { PINNED_TASK } from '../../support/jobs.ts';

const MIB = 2 ** 20;

describe('what jobs use', () => {
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock);
    await test.start();
  });
  afterEach(() => test.remove());

  const running = async (): Promise<string> => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    return id;
  };

  /** Lets the next measurement happen, `after` milliseconds from now. */
  const measured = async (id: string, after: number): Promise<void> => {
    await clock.whenSleepingUntil(clock.now() + after);
    clock.advance(after);
    const at = clock.now();
    while ((await test.usage.used(id))?.measuredAt !== at) await new Promise((resolve) => setImmediate(resolve));
  };

  const over = async (id: string): Promise<UsageRecord> => {
    const record = [...readUsage(join(test.folder, 'jobs.db'), 0)].find(({ jobId }) => jobId === id);
    if (record === undefined) throw new Error('there is no record');
    return record;
  };

  it('is measured soon after the start, then every second, and is in the job at its end', async () => {
    const id = await running();
    test.engine.use(id, { cpuSeconds: 0.4, peakMemory: MIB });
    await measured(id, 500);
    test.engine.use(id, { cpuSeconds: 1.4, peakMemory: 2 * MIB, writtenBytes: 3 });
    await measured(id, 1000);
    test.engine.finish(id, { stdout: 'twelve bytes' });
    const { info, endTime } = await test.inPhase(id, 'COMPLETED');
    expect(info.usage).to.deep.equal({ cpuSeconds: 1.4, peakMemory: 2 * MIB, writtenBytes: 3, measuredAt: endTime });
    expect(info.resultBytes).to.equal(12);
  });

  it('is measured less often the longer the job runs', async () => {
    const id = await running();
    await measured(id, 500);
    await measured(id, 1000);
    clock.advance(100_000);
    while (((await test.usage.used(id))?.measuredAt ?? 0) < clock.now()) await new Promise((resolve) => setImmediate(resolve));
    await measured(id, 10_150);
    await measured(id, 11_165);
  });

  it('is not known of a job that was over before anybody could measure, and that is told', async () => {
    const id = await running();
    test.engine.finish(id);
    const { info } = await test.inPhase(id, 'COMPLETED');
    expect(info.usage).to.equal(undefined);
    expect((await over(id)).used).to.equal(undefined);
  });

  it('is measured once more before a job is stopped, but not within the second after the last one', async () => {
    const soon = await running();
    await measured(soon, 500);
    const late = await running();
    await measured(late, 500);
    clock.advance(100_000);
    while (((await test.usage.used(late))?.measuredAt ?? 0) < clock.now() || ((await test.usage.used(soon))?.measuredAt ?? 0) < clock.now()) await new Promise((resolve) => setImmediate(resolve));
    const abort = async (id: string): Promise<number | undefined> => {
      test.engine.use(id, { cpuSeconds: 7, peakMemory: 1 });
      await test.execution.services.docker.abort(id, ANONYMOUS);
      return (await test.until(id, (job) => job.info.resultBytes !== undefined)).info.usage?.cpuSeconds;
    };
    clock.advance(999);
    expect(await abort(soon)).to.equal(0);
    clock.advance(1);
    expect(await abort(late)).to.equal(7);
  });

  it('survives a restart of the gateway, in which the container ended', async () => {
    const id = await running();
    test.engine.use(id, { cpuSeconds: 3, peakMemory: MIB });
    await measured(id, 500);
    await test.stop();
    test.engine.finish(id);
    await test.start();
    expect((await test.inPhase(id, 'COMPLETED')).info.usage).to.include({ cpuSeconds: 3, peakMemory: MIB });
  });

  it('is measured again after the engine did not answer', async () => {
    const id = await running();
    test.engine.failNext('usage');
    await clock.whenSleepingUntil(clock.now() + 500);
    clock.advance(500);
    test.engine.use(id, { cpuSeconds: 2, peakMemory: MIB });
    await measured(id, 1000);
    expect((await test.usage.used(id))?.cpuSeconds).to.equal(2);
  });

  it('outlives the job, whose it was and what it ran with it, for the time that is configured', async () => {
    const id = await running();
    test.engine.use(id, { cpuSeconds: 3, peakMemory: MIB });
    await measured(id, 500);
    const started = clock.now() - 500;
    await test.execution.services.docker.delete(id, ANONYMOUS);
    const record = await over(id);
    expect(record).to.deep.include({ jobId: id, list: 'docker', owner: null, groups: [], phase: 'ABORTED', cores: 1, memory: 2 ** 28, startTime: started, endTime: started + 500, resultBytes: 0 });
    expect(record.images).to.deep.equal([`registry.test/tools/one@${PINNED_TASK.image.manifestDigest}`]);
    expect(record.used?.cpuSeconds).to.equal(3);
    await test.usage.forget(started + 500);
    await over(id);
    await test.usage.forget(started + 501);
    expect([...readUsage(join(test.folder, 'jobs.db'), 0)]).to.deep.equal([]);
  });
});

describe('a job whose owner has used too much CPU time meanwhile', () => {
  it('goes on waiting and says so, holds nobody up, and starts when it is less', async () => {
    const clock = new FakeClock();
    const ada: Caller = { id: 'ada', groups: [] };
    let held = true;
    const test = new TestExecution(clock, { admission: { ...ADMIT_ALL, holdsBack: async ({ owner }) => held && owner === 'ada' } });
    await test.start();
    try {
      const { id } = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/tools/one:1' }], run: true }, ada);
      await test.inPhase((await test.run()).id, 'EXECUTING');
      expect((await test.until(id, ({ info }) => info.message !== undefined)).info.message).to.contain('CPU time');
      expect((await test.store.get(id))?.phase).to.equal('QUEUED');
      held = false;
      await clock.whenSleepingUntil(clock.now() + 2000);
      clock.advance(2000);
      expect((await test.inPhase(id, 'EXECUTING')).info.message).to.equal(undefined);
    } finally {
      await test.remove();
    }
  });
});
