import { expect } from 'chai';
import { mock } from 'node:test';
import { ANONYMOUS } from '../../../src/caller.ts';
import { SystemClock } from '../../../src/clock.ts';
import { jobWith } from '../../support/jobs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** What setTimeout can hold (milliseconds). */
const LONGEST_TIMER = 2 ** 31 - 1;

describe('jobs and time', () => {
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock, { limits: LONG_LIMITS });
    await test.start();
  });
  afterEach(() => test.remove());

  describe('a clock that is set while a job runs', () => {
    for (const step of [HOUR, -HOUR]) {
      const how = step > 0 ? 'forward' : 'back';

      it(`${how}: the job ends at its limit, neither before nor later`, async () => {
        const { id } = await test.run({ executionDuration: 60 });
        await test.inPhase(id, 'EXECUTING');
        await clock.whenSleepingUntil(clock.now() + 60_000);
        clock.step(step);
        clock.advance(59_999);
        await clock.whenSleepingUntil(clock.now() + 1);
        expect((await test.get(id)).phase).to.equal('EXECUTING');
        clock.advance(1);
        await test.inPhase(id, 'ABORTED');
      });

      it(`${how}: a job that ends by itself before its limit has done what it should`, async () => {
        const { id } = await test.run({ executionDuration: 60 });
        await test.inPhase(id, 'EXECUTING');
        await clock.whenSleepingUntil(clock.now() + 60_000);
        clock.step(step);
        test.engine.finish(id, { code: 0 });
        const job = await test.inPhase(id, 'COMPLETED');
        expect(job.endTime).to.be.at.least(job.startTime ?? Infinity);
      });
    }

    it('a limit that is changed afterwards counts from the start all the same', async () => {
      const { id } = await test.run({ executionDuration: 60 });
      await test.inPhase(id, 'EXECUTING');
      await clock.whenSleepingUntil(clock.now() + 60_000);
      clock.step(-HOUR);
      clock.advance(20_000);
      await test.execution.services.docker.change(id, ANONYMOUS, { executionDuration: 30 });
      await clock.whenSleepingUntil(clock.now() + 10_000);
      clock.advance(10_000);
      await test.inPhase(id, 'ABORTED');
    });
  });

  it('the engine\'s clock need not be ours: after a restart a job has what is left of its time, by the engine', async () => {
    test.engine.clockAhead = 5 * HOUR;
    const { id } = await test.run({ executionDuration: 60 });
    await test.inPhase(id, 'EXECUTING');
    await test.stop();
    clock.advance(20_000);
    await test.start();
    await clock.whenSleepingUntil(clock.now() + 40_000);
    clock.advance(40_000);
    expect((await test.inPhase(id, 'ABORTED')).error?.message).to.contain('60 s');
  });

  it('a container that ended in time while nobody watched has done what it should; one that ended later is ABORTED', async () => {
    const [early, late] = [await test.run({ executionDuration: 60 }), await test.run({ executionDuration: 60 })];
    for (const { id } of [early, late]) await test.inPhase(id, 'EXECUTING');
    await test.stop();
    clock.advance(59_000);
    test.engine.finish(early.id, { code: 0 });
    clock.advance(40_000);
    test.engine.finish(late.id, { code: 0 });
    clock.advance(HOUR);
    await test.start();
    await test.inPhase(early.id, 'COMPLETED');
    const job = await test.inPhase(late.id, 'ABORTED');
    expect(job.endTime, 'at its limit').to.equal((job.startTime ?? 0) + 60_000);
    expect(job.error?.message).to.match(/60 s; it ran 99 s, because nobody could stop it/);
  });

  describe('a service that is started once more, after which the engine knows only its latest start', () => {
    for (const ahead of [0, 5 * HOUR]) {
      it(`does not get its job more time when the gateway is restarted (the engine's clock ${String(ahead / HOUR)} h ahead)`, async () => {
        test.engine.clockAhead = ahead;
        const { id } = await test.run({ executionDuration: 20 });
        await test.inPhase(id, 'EXECUTING');
        clock.advance(16_000);
        test.engine.startOnceMore(id);
        await test.stop();
        clock.advance(1000);
        await test.start();
        await clock.whenSleepingUntil(clock.now() + 3000);
        clock.advance(3000);
        expect((await test.inPhase(id, 'ABORTED')).error?.message).to.contain('20 s');
      });
    }

    it('is over its limit when it ended after that while no gateway ran, and the job with it at the limit', async () => {
      const { id } = await test.run({ executionDuration: 20 });
      await test.inPhase(id, 'EXECUTING');
      await test.stop();
      clock.advance(16_000);
      test.engine.startOnceMore(id);
      clock.advance(10_000);
      test.engine.finish(id, { code: 0 });
      await test.start();
      const job = await test.inPhase(id, 'ABORTED');
      expect(job.endTime).to.equal((job.startTime ?? 0) + 20_000);
    });

    it('is over its limit when it ended at that while the gateway was about to stop it', async () => {
      const { id } = await test.run({ executionDuration: 20 });
      await test.inPhase(id, 'EXECUTING');
      await clock.whenSleepingUntil(clock.now() + 20_000);
      clock.advance(19_000);
      test.engine.startOnceMore(id);
      const inspect = test.engine.inspect.bind(test.engine);
      test.engine.inspect = async (jobId) => {
        test.engine.inspect = inspect;
        test.engine.finish(id, { code: 0 });
        return inspect(jobId);
      };
      clock.advance(1000);
      expect((await test.inPhase(id, 'ABORTED')).error?.message).to.contain('20 s');
    });
  });

  describe('a project that was told to stop while nothing of it ran, by a gateway that was killed before it could say so', () => {
    const STOPPED = { code: -1, error: 'the project was stopped before all of its services had started', stopped: true };

    /** Its last service ended after 15 s; somebody looks `seconds` after its start. */
    async function foundAfter(seconds: number, ahead: number): Promise<string> {
      test.engine.clockAhead = ahead;
      const { id } = await test.run({ executionDuration: 20 });
      await test.inPhase(id, 'EXECUTING');
      await test.stop();
      clock.advance(15_000);
      test.engine.finish(id, STOPPED);
      clock.advance((seconds - 15) * 1000);
      await test.start();
      return id;
    }

    for (const ahead of [0, 5 * HOUR]) {
      it(`was at its limit, and is ABORTED there (the engine's clock ${String(ahead / HOUR)} h ahead)`, async () => {
        const job = await test.inPhase(await foundAfter(21, ahead), 'ABORTED');
        expect(job.endTime).to.equal((job.startTime ?? 0) + 20_000);
        expect(job.error?.message).to.equal('stopped: the job ran longer than its executionDuration of 20 s');
      });
    }

    it('was not at its limit yet: ERROR, as it says', async () => {
      expect((await test.inPhase(await foundAfter(19, 0), 'ERROR')).error?.message).to.equal(STOPPED.error);
    });
  });

  describe('instants beyond the 24.8 days of one timer', () => {
    it('the clock sleeps as long as it is told to', async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        let over = false;
        const sleeping = new SystemClock().sleep(60 * DAY).then(() => (over = true));
        const pieces = [LONGEST_TIMER, LONGEST_TIMER, 60 * DAY - 2 * LONGEST_TIMER - 1];
        for (const piece of pieces) {
          mock.timers.tick(piece);
          for (let i = 0; i < 5; i += 1) await Promise.resolve();
          expect(over).to.equal(false);
        }
        mock.timers.tick(1);
        await sleeping;
      } finally {
        mock.timers.reset();
      }
    });

    it('a job ends at a limit of sixty days', async () => {
      const { id } = await test.run({ executionDuration: 60 * 24 * 3600 });
      await test.inPhase(id, 'EXECUTING');
      await clock.whenSleepingUntil(clock.now() + 60 * DAY);
      clock.advance(59 * DAY);
      expect((await test.get(id)).phase).to.equal('EXECUTING');
      await clock.whenSleepingUntil(clock.now() + DAY);
      clock.advance(DAY);
      await test.inPhase(id, 'ABORTED');
    });
  });

  it('destroys thousands of jobs that are due at once, and asks the engine once for many', async () => {
    await test.stop();
    await test.start();
    const jobs = Array.from({ length: 2500 }, () => jobWith({ phase: 'COMPLETED', destruction: clock.now() + 1000 }));
    await Promise.all(jobs.map((job) => test.store.create(job)));
    clock.advance(5000);
    while ((await test.store.deleted(1)).length > 0 || (await test.store.due(clock.now(), 1)).length > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await test.store.count()).to.deep.equal({});
    expect(test.engine.calls.filter(({ call }) => call === 'remove')).to.have.length(0);
    expect(test.engine.calls.filter(({ call }) => call === 'list').length).to.be.below(100);
  });

  it('keeps the record of a destroyed job, ARCHIVED and without results, for the time that the site says', async () => {
    await test.stop();
    test = new TestExecution(clock, { archive: 100 });
    await test.start();
    const { id, creationTime } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.execution.services.docker.change(id, ANONYMOUS, { destruction: creationTime + 4000 });
    await clock.whenSleepingUntil(creationTime + 5000);
    clock.advance(5000);
    const archived = await test.inPhase(id, 'ARCHIVED');
    expect(archived.results).to.deep.equal([]);
    await test.engine.whenCalled('remove', id);
    expect(test.engine.jobs()).to.deep.equal([]);
    for (let i = 0; i < 25 && (await test.store.get(id)) !== undefined; i += 1) {
      await clock.whenSleepingUntil(clock.now() + 5000);
      clock.advance(5000);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await test.store.get(id)).to.equal(undefined);
    expect(clock.now() - creationTime).to.be.at.least(104_000);
  });
});

const LONG_LIMITS = {
  executionDuration: { default: 3600, max: 100 * 24 * 3600 },
  lifetime: { default: 100 * 24 * 3600, max: 200 * 24 * 3600 },
  grace: 10,
  resultBytes: 10_000,
  resultFiles: 5,
};
