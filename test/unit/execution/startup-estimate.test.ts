import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import type { PinnedTask } from '../../../src/task/task.ts';
import { TestExecution } from '../../support/execution.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { PINNED_TASK } from '../../support/jobs.ts';

const ADA = { id: 'ada', groups: [] };
const OTHER: PinnedTask = { ...PINNED_TASK, image: { ...PINNED_TASK.image, manifestDigest: `sha256:${'7'.repeat(64)}`, size: 10_000 } };

describe('when a job would start', () => {
  let clock: FakeClock;
  let test: TestExecution;

  async function open(overrides: ConstructorParameters<typeof TestExecution>[1] = {}): Promise<void> {
    clock = new FakeClock();
    test = new TestExecution(clock, overrides);
    await test.start();
  }
  afterEach(() => test.remove());

  /** As many jobs as are asked for, one after the other; those that have a slot run. */
  async function load(jobs: readonly { readonly executionDuration?: number }[], slots = 4): Promise<void> {
    const created = [];
    for (const fields of jobs) {
      created.push(await test.run(fields));
      // of two of one instant nobody is first
      clock.advance(1);
    }
    for (const { id } of created.slice(0, slots)) await test.inPhase(id, 'EXECUTING');
  }
  const estimate = (task = PINNED_TASK, caller = ANONYMOUS) => test.execution.startup.of(task, caller);

  it('at once where there is room and the image is present', async () => {
    await open();
    await load([{}]);
    expect(await estimate()).to.deep.equal({ min: 0, max: 5 });
  });

  it('when the first of those that run must be over, where there is none', async () => {
    await open();
    await load([{}, { executionDuration: 100 }, {}, {}]);
    expect(await estimate()).to.deep.equal({ min: 0, max: 105 });
    clock.advance(40_000);
    expect(await estimate(), 'time has passed').to.deep.equal({ min: 0, max: 65 });
  });

  it('behind those that wait already', async () => {
    await open();
    await load([{ executionDuration: 100 }, { executionDuration: 200 }, {}, {}, { executionDuration: 50 }, { executionDuration: 60 }, { executionDuration: 1000 }]);
    // 100: the fifth takes the place of the first; 150: the sixth, of that; 200: the seventh; 210: ours
    expect(await estimate()).to.deep.equal({ min: 0, max: 215 });
  });

  it('nobody knows behind jobs without a limit', async () => {
    await open({ limits: { executionDuration: { default: 0, max: 0 }, lifetime: { default: 604_800, max: 2_592_000 }, grace: 10, resultBytes: 10_000, resultFiles: 5 } });
    await load([{}, {}, {}, {}]);
    expect(await estimate()).to.equal(undefined);
  });

  it('counts what the quotas of the caller hold back', async () => {
    await open({ mayStart: ({ owner }, running) => owner !== null || running.filter((each) => each.owner === null).length < 1 });
    await load([{ executionDuration: 100 }], 1);
    expect(await estimate()).to.deep.equal({ min: 0, max: 105 });
    expect(await estimate(PINNED_TASK, ADA), 'somebody else').to.deep.equal({ min: 0, max: 5 });
  });

  it('adds the pull of an image that is not there, by what the last pulls took; nobody knows before the first', async () => {
    await open();
    expect(await estimate(OTHER)).to.equal(undefined);
    const release = test.engine.holdPulls();
    const { id } = await test.run();
    await test.engine.whenCalled('ensureImage');
    clock.advance(2000);
    release();
    await test.inPhase(id, 'EXECUTING');
    // 1000 bytes in two seconds
    expect(await estimate(OTHER)).to.deep.equal({ min: 20, max: 25 });
  });
});
