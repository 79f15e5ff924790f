import { expect } from 'chai';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ANONYMOUS } from '../../../src/caller.ts';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { GatewayError } from '../../../src/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';
import { imageOf } from '../../support/jobs.ts';

describe('the life of a job', () => {
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock);
    await test.start();
  });
  afterEach(() => test.remove());

  it('runs, and keeps logs and output with size and digest; nothing is left on the engine', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.finish(id, { code: 0, stdout: 'hello\n', files: { 'a/b.txt': 'content' } });
    const job = await test.inPhase(id, 'COMPLETED');
    expect(job.results.map(({ id: name, size, mediaType }) => [name, size, mediaType])).to.deep.equal([
      ['stdout', 6, 'text/plain'], ['stderr', 0, 'text/plain'], ['a/b.txt', 7, 'text/plain'],
    ]);
    const { content } = await test.execution.services.docker.openResult(id, 'a/b.txt', ANONYMOUS);
    expect(await text(content)).to.equal('content');
    await test.engine.whenCalled('remove', id);
    expect(test.engine.jobs()).to.deep.equal([]);
    expect(job.info.exitCode).to.equal(0);
  });

  const ends = [
    { name: 'an exit code', outcome: { code: 3 }, message: /exit code 3/ },
    { name: 'a signal', outcome: { code: 139 }, message: /SIGSEGV/ },
    { name: 'too little memory', outcome: { code: 137, outOfMemory: true }, message: /out of memory.*256M/ },
  ];
  for (const { name, outcome, message } of ends) {
    it(`ends in ERROR with ${name}`, async () => {
      const { id } = await test.run();
      await test.inPhase(id, 'EXECUTING');
      test.engine.finish(id, { ...outcome, stderr: 'because' });
      const job = await test.inPhase(id, 'ERROR');
      expect(job.error?.type).to.equal('fatal');
      expect(job.error?.message).to.match(message);
      expect(job.error?.detail).to.contain('because');
    });
  }

  it('is ABORTED at its limit, with what it had written, and the limit can be changed while it runs', async () => {
    const { id, creationTime } = await test.run({ executionDuration: 60 });
    await test.inPhase(id, 'EXECUTING');
    await clock.whenSleepingUntil(creationTime + 60_000);
    await test.execution.services.docker.change(id, ANONYMOUS, { executionDuration: 30 });
    await clock.whenSleepingUntil(creationTime + 30_000);
    test.engine.write(id, 'stdout', 'partial');
    clock.advance(30_001);
    const job = await test.inPhase(id, 'ABORTED');
    expect(job.error?.message).to.contain('executionDuration of 30 s');
    expect(job.results.find((result) => result.id === 'stdout')?.size).to.equal(7);
    expect(job.endTime).to.equal(creationTime + 30_001);
  });

  it('goes on in its container when the gateway stops, and is taken up by the next', async () => {
    // a real engine's answer to being given up comes later than the end of a sleep
    const wait = test.engine.wait.bind(test.engine);
    test.engine.wait = (jobId, signal) => wait(jobId, signal).catch(async (error: unknown) => {
      await nextTurn();
      throw error;
    });
    const { id, creationTime } = await test.run({ executionDuration: 60 });
    await test.inPhase(id, 'EXECUTING');
    await clock.whenSleepingUntil(creationTime + 60_000);
    await test.stop();
    await nextTurn();
    expect(test.engine.calls.map(({ call }) => call)).not.to.include('stop');
    await test.start();
    await test.engine.whenCalled('list');
    test.engine.finish(id, { code: 0 });
    await test.inPhase(id, 'COMPLETED');
    expect(test.engine.starts(id)).to.equal(1);
  });

  it('is ABORTED at once when the client says so, and the container is gone soon, its output kept', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.write(id, 'stdout', 'partial');
    expect((await test.execution.services.docker.abort(id, ANONYMOUS)).phase).to.equal('ABORTED');
    const job = await test.until(id, ({ results }) => results.some(({ size }) => size === 7));
    expect(job.phase).to.equal('ABORTED');
    await test.engine.whenCalled('remove', id);
  });

  for (const step of ['ensureImage', 'create', 'start'] as const) {
    it(`leaves nothing when it is aborted during ${step}`, async () => {
      const release = test.engine.holdPulls();
      if (step !== 'ensureImage') release();
      const { id } = await test.run();
      await test.engine.whenCalled(step);
      await test.execution.services.docker.abort(id, ANONYMOUS);
      release();
      await test.engine.whenCalled('remove', id);
      expect((await test.get(id)).phase).to.equal('ABORTED');
      expect(test.engine.jobs()).to.deep.equal([]);
    });
  }

  for (const step of ['wait', 'logs', 'outputs', 'remove'] as const) {
    it(`leaves nothing when it is aborted after its exit, during ${step}, and keeps what it had written`, async () => {
      const { id } = await test.run();
      await test.inPhase(id, 'EXECUTING');
      await test.engine.whenCalled('wait', id);
      // the engine tells of the end by the answer to that call
      const release = step === 'wait' ? undefined : test.engine.hold(step);
      test.engine.finish(id, { code: 0, stdout: 'out', files: { a: '1' } });
      if (step !== 'wait') await test.engine.whenCalled(step, id);
      const { phase } = await test.execution.services.docker.abort(id, ANONYMOUS);
      // its end was recorded before the removal began
      expect(phase).to.equal(step === 'remove' ? 'COMPLETED' : 'ABORTED');
      release?.();
      while (test.engine.jobs().length > 0 || (await test.execution.running()) > 0) await nextTurn();
      const job = await test.get(id);
      expect(job.phase).to.equal(phase);
      expect(job.results.map(({ id: name, size }) => [name, size])).to.deep.equal([['stdout', 3], ['stderr', 0], ['a', 1]]);
      expect(test.execution.slots.running).to.deep.equal([]);
      expect(test.engine.starts(id)).to.equal(1);
    });
  }

  it('keeps a terminal phase, whatever comes later', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.execution.services.docker.abort(id, ANONYMOUS);
    await test.engine.whenCalled('remove', id);
    expect((await test.execution.services.docker.abort(id, ANONYMOUS)).phase).to.equal('ABORTED');
    expect((await test.get(id)).phase).to.equal('ABORTED');
  });

  it('starts one container, however often and however concurrently it is told to run', async () => {
    const { id } = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/a:1' }], run: false }, ANONYMOUS);
    await Promise.all(Array.from({ length: 50 }, () => test.execution.services.docker.run(id, ANONYMOUS)));
    await test.inPhase(id, 'EXECUTING');
    expect(test.engine.starts(id)).to.equal(1);
  });

  it('ends in ERROR when the policy refuses it at RUN, with the reason', async () => {
    const { id } = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/a:1' }], run: false }, ANONYMOUS);
    test.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'no longer listed' };
    const job = await test.execution.services.docker.run(id, ANONYMOUS);
    expect(job.phase).to.equal('ERROR');
    expect(job.error?.message).to.contain('no longer listed');
  });

  it('ends in ERROR when the policy refuses it when its turn comes', async () => {
    test.engine.disconnect();
    const { id } = await test.run();
    test.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'no longer listed' };
    test.engine.reconnect();
    clock.advance(10_000);
    const job = await test.inPhase(id, 'ERROR');
    expect(job.error?.message).to.contain('no longer listed');
    expect(test.engine.starts(id)).to.equal(0);
  });

  it('is judged again by the index that led to its image, and does not run when that now leads to another', async () => {
    const index = `sha256:${'8'.repeat(64)}` as const;
    const evaluate = test.policy.evaluate.bind(test.policy);
    const asked: (string | undefined)[] = [];
    test.policy.evaluate = async (task) => {
      asked.push(task.image.digest);
      const verdict = await evaluate({ ...task, image: { domain: 'registry.test', path: 'tools/one', tag: '1' } });
      if (!verdict.accepted) return verdict;
      const manifestDigest = asked.length < 4 ? verdict.task.image.manifestDigest : index;
      return { ...verdict, task: { ...verdict.task, image: { ...verdict.task.image, manifestDigest, indexDigest: index } } };
    };
    const runs = await test.run();
    await test.inPhase(runs.id, 'EXECUTING');
    expect(asked).to.deep.equal([undefined, index]);
    const { id } = await test.run();
    const job = await test.inPhase(id, 'ERROR');
    expect(job.error?.message).to.contain('another platform');
    expect(test.engine.starts(id)).to.equal(0);
  });

  it('is not created when the policy refuses it', async () => {
    test.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'not listed' };
    const error: unknown = await test.run().catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(GatewayError).with.property('code', 'Refused');
    expect(await test.store.count()).to.deep.equal({});
  });

  it('tells of a tag that has moved, and runs what was judged', async () => {
    const moved = `sha256:${'7'.repeat(64)}` as const;
    await test.stop();
    test = new TestExecution(clock, { resolveTag: async (reference) => ({ ...imageOf(await test.get(id)), reference, manifestDigest: moved }) });
    await test.start();
    const { id } = await test.run();
    const job = await test.inPhase(id, 'EXECUTING');
    expect(job.info.tagMovedTo).to.equal(moved);
    expect(imageOf(job).manifestDigest).not.to.equal(moved);
  });

  it('waits in QUEUED while the engine does not answer, says so, and runs when it does', async () => {
    const first = await test.run();
    await test.inPhase(first.id, 'EXECUTING');
    test.engine.disconnect();
    const { id } = await test.run();
    const job = await test.until(id, ({ info }) => info.message !== undefined);
    expect(job.phase).to.equal('QUEUED');
    expect(job.info.message).to.contain('does not answer');
    test.engine.reconnect();
    // the job waits 3 s, from whenever its runner has let go of it
    for (const look of [2000, 2000, 2000, 2000, 2000]) {
      await clock.whenSleepingUntil(clock.now() + look);
      clock.advance(look);
    }
    await test.inPhase(id, 'EXECUTING');
    expect((await test.get(first.id)).phase).to.equal('EXECUTING');
  });

  it('ends in ERROR, transient, when the container vanishes', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.lose(id);
    const job = await test.inPhase(id, 'ERROR');
    expect(job.error).to.include({ type: 'transient' });
  });

  it('ends in ERROR, with the engine\'s reason, when the engine refuses it', async () => {
    test.engine.behave({ refuseCreate: new EngineRefused('no such runtime') });
    const { id } = await test.run();
    const job = await test.inPhase(id, 'ERROR');
    expect(job.error).to.deep.equal({ type: 'fatal', message: 'no such runtime' });
  });

  it('keeps only what the limits allow, and says what it left out', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.finish(id, { code: 0, files: { big: 'x'.repeat(20_000), a: '1', b: '2', c: '3', d: '4', e: '5', f: '6', stdout: 'x' } });
    const job = await test.inPhase(id, 'COMPLETED');
    expect(job.results.map((result) => result.id)).to.deep.equal(['stdout', 'stderr', 'a', 'b', 'c', 'd', 'e']);
    expect(job.info.warnings).to.have.length(3);
  });

  it('starts no more jobs at once than there are slots, and the next when one is over', async () => {
    const jobs = await Promise.all(Array.from({ length: 6 }, () => test.run()));
    const started = async (): Promise<string[]> => {
      const running = await Promise.all(jobs.map(({ id }) => test.get(id)));
      return running.filter(({ phase }) => phase === 'EXECUTING').map(({ id }) => id);
    };
    for (const { id } of jobs.slice(0, 4)) await test.inPhase(id, 'EXECUTING');
    expect(await started()).to.have.length(4);
    test.engine.finish(jobs[0]!.id, { code: 0 });
    await test.inPhase(jobs[4]!.id, 'EXECUTING');
    expect(test.engine.starts(jobs[5]!.id)).to.equal(0);
  });

  it('is gone for clients at once when deleted, and everything of it soon', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.execution.services.docker.delete(id, ANONYMOUS);
    const error: unknown = await test.get(id).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'NotFound');
    await test.engine.whenCalled('remove', id);
    while ((await test.store.deleted(1)).length > 0) {
      await clock.whenSleepingUntil(clock.now() + 5000);
      clock.advance(5000);
    }
    expect(test.engine.jobs()).to.deep.equal([]);
    expect(await test.results.jobs()).to.deep.equal([]);
  });

  it('is destroyed at its instant, running or not', async () => {
    const { id, creationTime } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.execution.services.docker.change(id, ANONYMOUS, { destruction: creationTime + 4000 });
    await clock.whenSleepingUntil(creationTime + 5000);
    clock.advance(5000);
    await test.engine.whenCalled('remove', id);
    expect(await test.store.get(id)).to.equal(undefined);
    expect(test.engine.jobs()).to.deep.equal([]);
  });
});
