import { expect } from 'chai';
import type { Closure } from '../../../src/execution/closure.ts';
import { GatewayError } from '../../../src/errors.ts';
import type { Job } from '../../../src/job/job.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

/** Nothing that waits its turn to be tried again waits longer than this (milliseconds). */
const LONG = 120_000;

describe('a drain, and a site that is closed', () => {
  let clock: FakeClock;
  let test: TestExecution;
  let closed: Closure | undefined;

  beforeEach(async () => {
    closed = undefined;
    clock = new FakeClock();
    test = new TestExecution(clock, { offer: async () => ({ slots: 1, cores: 4, memory: 2 ** 32 }), closed: () => closed });
    await test.start();
  });
  afterEach(() => test.remove());

  const refusal = async (): Promise<GatewayError> => {
    const error: unknown = await test.run().then(() => undefined, (reason: unknown) => reason);
    if (error instanceof GatewayError) return error;
    throw new Error('the job was taken', { cause: error });
  };
  const executing = async (): Promise<Job> => test.inPhase((await test.run()).id, 'EXECUTING');

  it('takes no jobs, and says when to come again; running ones finish, queued ones wait for its end', async () => {
    const running = await executing();
    const waiting = await test.run();
    test.execution.drain();
    expect(await refusal()).to.include({ code: 'Unavailable' }).and.to.have.nested.property('headers.Retry-After', '60');
    expect(test.execution.closure?.code).to.equal('site.draining');
    test.engine.finish(running.id);
    await test.inPhase(running.id, 'COMPLETED');
    await test.engine.whenCalled('remove', running.id);
    clock.advance(LONG);
    expect(test.engine.starts(waiting.id)).to.equal(0);
    test.execution.resume();
    expect((await test.inPhase(waiting.id, 'EXECUTING')).id).to.equal(waiting.id);
  });

  it('does not start a job whose image is being pulled when it begins', async () => {
    const release = test.engine.holdPulls();
    const { id } = await test.run();
    await test.engine.whenCalled('ensureImage');
    test.execution.drain();
    release();
    await test.until(id, ({ info }) => info.message?.includes('drained') ?? false);
    expect(test.engine.starts(id)).to.equal(0);
    test.execution.resume();
    const started = test.inPhase(id, 'EXECUTING');
    const ticking = setInterval(() => clock.advance(LONG), 5);
    await started.finally(() => clearInterval(ticking));
    expect(test.engine.starts(id)).to.equal(1);
  });

  it('ends what still runs after the time given, with a message; a later word without a time takes it back', async () => {
    const { id } = await executing();
    test.execution.drain(60);
    test.execution.drain();
    clock.advance(LONG);
    expect((await test.get(id)).phase).to.equal('EXECUTING');
    test.execution.drain(60);
    await clock.whenSleepingUntil(clock.now() + 60_000);
    clock.advance(60_000);
    const job = await test.inPhase(id, 'ABORTED');
    expect(job.error).to.include({ type: 'transient' });
    expect(job.error?.message).to.contain('drained');
  });

  it('knows of what runs though no gateway has it at the moment: it is waited for, and ended after the time given', async () => {
    const { id } = await executing();
    await test.stop();
    test.engine.disconnect();
    await test.start();
    test.execution.drain(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await test.execution.running()).to.equal(1);
    test.engine.reconnect();
    const ended = test.inPhase(id, 'ABORTED');
    const ticking = setInterval(() => clock.advance(1000), 5);
    expect((await ended.finally(() => clearInterval(ticking))).error?.message).to.contain('drained');
    expect(await test.execution.running(), 'its container is in its grace').to.equal(1);
    clock.advance(LONG);
    await test.engine.whenCalled('remove', id);
    while ((await test.execution.running()) > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('is forgotten by the next start, which takes up what waits', async () => {
    const running = await executing();
    const waiting = await test.run();
    test.execution.drain();
    await test.stop();
    await test.start();
    expect(test.execution.closure).to.equal(undefined);
    test.engine.finish(running.id);
    await test.inPhase(waiting.id, 'EXECUTING');
  });

  it('holds for whatever else closes a site, and ends with that', async () => {
    const running = await executing();
    const waiting = await test.run();
    closed = { code: 'site.disk', text: 'the disk is nearly full', retryAfter: 300 };
    expect(await refusal()).to.have.nested.property('headers.Retry-After', '300');
    test.engine.finish(running.id);
    await test.inPhase(running.id, 'COMPLETED');
    await test.engine.whenCalled('remove', running.id);
    clock.advance(LONG);
    await new Promise((resolve) => setImmediate(resolve));
    expect(test.engine.starts(waiting.id)).to.equal(0);
    closed = undefined;
    clock.advance(LONG);
    await test.inPhase(waiting.id, 'EXECUTING');
  });
});
