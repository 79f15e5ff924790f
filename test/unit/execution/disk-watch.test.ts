import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

const LIMIT = 1000;
/** Nothing else sleeps so long (milliseconds). */
const EVERY = 7_000;

describe('a job that fills the disk', () => {
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock, { disk: { limit: LIMIT, every: EVERY / 1000 } });
    await test.start();
  });
  afterEach(() => test.remove());

  it('is stopped at the next look, without a grace, and says why; another goes on', async () => {
    test.engine.behave({ ignoresStop: true });
    const [greedy, modest] = [await test.run(), await test.run()];
    await test.inPhase(greedy.id, 'EXECUTING');
    await test.inPhase(modest.id, 'EXECUTING');
    await clock.whenSleepingUntil(clock.now() + EVERY);
    test.engine.leave(greedy.id, 'much', 'x'.repeat(LIMIT + 1));
    test.engine.leave(modest.id, 'much', 'x'.repeat(LIMIT));
    clock.advance(EVERY);
    const job = await test.inPhase(greedy.id, 'ERROR');
    expect(job.error?.message).to.include('stopped: the job had more on disk');
    expect((await test.get(modest.id)).phase).to.equal('EXECUTING');
  });

  it('is looked at again after a look that failed', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.leave(id, 'much', 'x'.repeat(LIMIT + 1));
    test.engine.failNext('diskUse');
    await clock.whenSleepingUntil(clock.now() + EVERY);
    clock.advance(EVERY);
    await clock.whenSleepingUntil(clock.now() + EVERY);
    expect((await test.get(id)).phase).to.equal('EXECUTING');
    clock.advance(EVERY);
    await test.inPhase(id, 'ERROR');
  });

  it('is not looked at while nothing runs', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await clock.whenSleepingUntil(clock.now() + EVERY);
    test.engine.finish(id);
    await test.inPhase(id, 'COMPLETED');
    await test.engine.whenCalled('remove', id);
    clock.advance(10 * EVERY);
    await new Promise((resolve) => setImmediate(resolve));
    expect(test.engine.calls.filter(({ call }) => call === 'diskUse')).to.deep.equal([]);
  });
});
