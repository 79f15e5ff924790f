import { Readable } from 'node:stream';
import { expect } from 'chai';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { type EngineState, RECOVERY, type RecoveryAction, type StoreState } from '../../../src/execution/recovery-table.ts';
import type { Offer } from '../../../src/execution/slots.ts';
import type { Job } from '../../../src/job/job.ts';
import type { Phase } from '../../../src/job/phase.ts';
import { SqliteDatabase } from '../../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../../src/store/sqlite-job-store.ts';
import { PINNED_TASK, jobWith } from '../../support/jobs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

const ENGINE_STATES: readonly EngineState[] = ['none', 'created', 'running', 'exited'];

/** What must be true in the end of a job that a dead gateway left so: its phase, and whether a container of it is there. */
const END: Readonly<Record<RecoveryAction, { readonly phase?: Phase; readonly container: boolean }>> = {
  leave: { container: false },
  queue: { phase: 'EXECUTING', container: true },
  adopt: { phase: 'COMPLETED', container: false },
  lost: { phase: 'ERROR', container: false },
  finish: { phase: 'ABORTED', container: false },
  remove: { container: false },
};

/** What is to be done, written down once more: a table that is compared with itself is always right. */
const EXPECTED: Readonly<Record<StoreState, readonly [none: RecoveryAction, created: RecoveryAction, running: RecoveryAction, exited: RecoveryAction]>> = {
  PENDING: ['leave', 'remove', 'remove', 'remove'],
  HELD: ['leave', 'remove', 'remove', 'remove'],
  QUEUED: ['queue', 'queue', 'adopt', 'adopt'],
  EXECUTING: ['lost', 'lost', 'adopt', 'adopt'],
  SUSPENDED: ['leave', 'leave', 'leave', 'leave'],
  UNKNOWN: ['leave', 'leave', 'leave', 'leave'],
  COMPLETED: ['leave', 'remove', 'remove', 'remove'],
  ERROR: ['leave', 'remove', 'remove', 'remove'],
  ABORTED: ['leave', 'finish', 'finish', 'finish'],
  ARCHIVED: ['leave', 'remove', 'remove', 'remove'],
  DELETED: ['leave', 'remove', 'remove', 'remove'],
  nothing: ['leave', 'remove', 'remove', 'remove'],
};

const PLENTY: Offer = { slots: 4, cores: 4, memory: 2 ** 32 };
const NOTHING: Offer = { slots: 0, cores: 0, memory: 0 };

describe('the recovery table', () => {
  it('has a row for every state of the store, and a cell for every one of the engine', () => {
    expect(Object.keys(RECOVERY)).to.have.members(Object.keys(EXPECTED));
    for (const row of Object.values(RECOVERY)) expect(Object.keys(row)).to.have.members(ENGINE_STATES);
  });
});

describe('recovery: store x engine', () => {
  let clock: FakeClock;
  let test: TestExecution;

  /** What the site offers; nothing = the queue starts nobody, and what is done is recovery's doing. */
  let offer: Offer;

  beforeEach(() => {
    clock = new FakeClock();
    offer = PLENTY;
    test = new TestExecution(clock, { offer: async () => offer });
  });
  afterEach(() => test.remove());

  const signal = new AbortController().signal;

  /** Leaves the engine and the store as a process that was killed would. */
  async function leave(store: StoreState, engine: EngineState, more: Partial<Job> = {}): Promise<string> {
    const deleted = store === 'DELETED';
    const phase = deleted || store === 'nothing' ? 'EXECUTING' : store;
    const job = jobWith({ phase, startTime: phase === 'EXECUTING' ? clock.now() : null, creationTime: clock.now(), destruction: clock.now() + 1e9, ...more });
    await test.start();
    await test.stop();
    const left = new SqliteJobStore(new SqliteDatabase(`${test.folder}/jobs.db`));
    await left.create(job);
    if (deleted || store === 'nothing') await left.delete(job.id, clock.now());
    if (store === 'nothing') await left.forget(job.id);
    await left.close();
    if (engine !== 'none') {
      await test.engine.ensureImage(PINNED_TASK.image, () => undefined, signal);
      await test.engine.create(job.id, PINNED_TASK, signal);
      if (engine !== 'created') await test.engine.start(job.id, signal);
      if (engine === 'exited') test.engine.finish(job.id, { code: 0, stdout: 'kept' });
    }
    return job.id;
  }

  // `npm run test:mutations:recovery` takes each action out and sees the test of its cell fail
  for (const store of Object.keys(EXPECTED) as StoreState[]) {
    for (const [at, engine] of ENGINE_STATES.entries()) {
      const action = EXPECTED[store][at] ?? 'leave';
      it(`${store} x ${engine} -> ${action}`, async () => {
        const id = await leave(store, engine);
        const startsBefore = test.engine.starts(id);
        if (store === 'QUEUED') offer = NOTHING;
        // the sweep of destructions removes it too, and would hide that recovery does not
        if (store === 'DELETED') test.engine.failNext('remove', { error: new EngineRefused('not now') });
        await test.start();
        // a pass of recovery is over when the next is waited for
        await clock.whenSleepingUntil(clock.now() + 10_000);
        if (action === 'queue') {
          expect([(await test.get(id)).phase, test.engine.starts(id)]).to.deep.equal(['QUEUED', startsBefore]);
          // who works on it has it before the pass is over
          expect((await test.store.standing(id, clock.now()))?.holder).to.equal(null);
          await test.stop();
          offer = PLENTY;
          await test.start();
        }
        const end = END[action];
        if (action === 'adopt' && engine === 'running') {
          await test.until(id, ({ phase }) => phase === 'EXECUTING');
          await test.engine.whenCalled('wait', id);
          test.engine.finish(id, { code: 0, stdout: 'kept' });
        }
        if (end.phase !== undefined) await test.inPhase(id, end.phase);
        if (action === 'adopt') await test.engine.whenCalled('remove', id);
        if (action === 'finish' && engine !== 'created') await test.until(id, ({ results }) => results.some((result) => result.id === 'stdout'));
        if (action === 'finish') await test.engine.whenCalled('remove', id);
        expect(test.engine.jobs().includes(id), 'a container is there').to.equal(action === 'leave' ? engine !== 'none' : end.container);
        const restarted = test.engine.starts(id) - startsBefore;
        expect(restarted, 'started again').to.equal(action === 'queue' ? 1 : 0);
        if (action === 'leave' || action === 'remove') {
          const phase = (await test.store.get(id))?.phase;
          expect(phase).to.equal(store === 'DELETED' || store === 'nothing' ? undefined : store);
        }
      });
    }
  }

  it('decides nothing of a container with which the engine is stuck, and goes on with the others', async () => {
    const [stuck, good] = [await leave('EXECUTING', 'running'), await leave('EXECUTING', 'running')];
    const list = test.engine.list.bind(test.engine);
    test.engine.list = async () => (await list()).map((run) => (run.jobId === stuck ? { jobId: stuck, state: 'unknown' } : run));
    await test.start();
    await test.engine.whenCalled('wait', good);
    await clock.whenSleepingUntil(clock.now() + 10_000);
    expect(test.execution.standstill).to.equal(undefined);
    expect((await test.get(stuck)).phase).to.equal('EXECUTING');
    expect(test.engine.calls.filter(({ call, jobId }) => jobId === stuck && ['wait', 'stop', 'remove'].includes(call))).to.deep.equal([]);
    test.engine.list = list;
    clock.advance(10_000);
    await test.engine.whenCalled('wait', stuck);
    for (const id of [stuck, good]) test.engine.finish(id, { code: 0 });
    for (const id of [stuck, good]) await test.inPhase(id, 'COMPLETED');
  });

  it('an aborted project of which an engine that was killed cannot say what ran is stopped for good, and then told: what it wrote is kept', async () => {
    const id = await leave('ABORTED', 'exited', { results: [{ id: 'stdout', mediaType: 'text/plain' }] });
    test.engine.list = async () => [{ jobId: id, state: 'created' }];
    await test.start();
    const { results } = await test.until(id, (job) => job.results.every(({ size }) => size !== undefined));
    expect(results.map(({ id: name, size }) => [name, size])).to.deep.include(['stdout', 4]);
  });

  for (const engine of ['none', 'created'] as const) {
    it(`an aborted job promises no results any more whose container is gone, before they were kept, or never ran (${engine})`, async () => {
      const id = await leave('ABORTED', engine, { results: [{ id: 'stdout', mediaType: 'text/plain' }] });
      await test.results.write(id, 'stdout', Readable.from([Buffer.from('half')]), 10);
      await test.start();
      const job = await test.until(id, ({ results }) => results.length === 0);
      expect(job.info.warnings).to.deep.equal(['what the job had written is lost: the engine no longer has its container']);
      expect(await test.results.jobs()).to.deep.equal([]);
    });
  }

  it('decides nothing while the engine does not answer', async () => {
    const id = await leave('EXECUTING', 'running');
    test.engine.disconnect();
    await test.start();
    expect(test.execution.standstill).to.contain('has just started');
    await clock.whenSleepingUntil(clock.now() + 1000);
    expect((await test.get(id)).phase).to.equal('EXECUTING');
    expect(test.execution.standstill).to.equal('the container engine does not answer');
    test.engine.reconnect();
    clock.advance(1000);
    await test.engine.whenCalled('wait', id);
    await clock.whenSleepingUntil(clock.now() + 10_000);
    expect(test.execution.standstill).to.equal(undefined);
    test.engine.finish(id, { code: 0 });
    await test.inPhase(id, 'COMPLETED');
  });

  it('leaves jobs to a gateway that is alive, and takes them over when it is not', async () => {
    await test.start();
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.engine.whenCalled('wait', id);
    const first = test.execution;
    const firstStore = test.store;
    await test.start();
    await clock.whenSleepingUntil(clock.now() + 10_000);
    // who takes a job over asks first how long it has run
    for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(test.engine.calls.filter(({ call }) => call === 'time')).to.deep.equal([]);
    await first.stop();
    await firstStore.close();
    clock.advance(10_000);
    await test.engine.whenCalled('time');
    test.engine.finish(id, { code: 0 });
    await test.inPhase(id, 'COMPLETED');
    expect(test.engine.starts(id)).to.equal(1);
  });

  it('counts a container in its grace as part of the offer: the next job starts when it is gone', async () => {
    test.engine.behave({ ignoresStop: true });
    const id = await leave('ABORTED', 'running');
    offer = { ...PLENTY, slots: 1 };
    await test.start();
    const waiting = await test.run();
    await test.engine.whenCalled('stop', id);
    await clock.whenSleepingUntil(clock.now() + 10_000);
    expect(test.execution.slots.has(id)).to.equal(true);
    clock.advance(10_000);
    await test.inPhase(waiting.id, 'EXECUTING');
    const order = test.engine.calls.filter(({ call, jobId }) => (call === 'remove' && jobId === id) || (call === 'start' && jobId === waiting.id));
    expect(order.map(({ call }) => call)).to.deep.equal(['remove', 'start']);
    expect(test.execution.slots.running).to.deep.equal([waiting.id]);
  });

  it('ends a job that ran over its limit while nobody watched', async () => {
    await test.start();
    const { id } = await test.run({ executionDuration: 20 });
    await test.inPhase(id, 'EXECUTING');
    await test.stop();
    clock.advance(40_000);
    await test.start();
    const job = await test.inPhase(id, 'ABORTED');
    expect(job.error?.message).to.contain('20 s').and.to.contain('nobody could stop it');
    expect((job.endTime ?? 0) - (job.startTime ?? 0)).to.equal(20_000);
    await test.engine.whenCalled('remove', id);
  });

  it('destroys at start what was due meanwhile', async () => {
    await test.start();
    const { id, creationTime } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.stop();
    clock.advance(604_800_000 + 1);
    expect(clock.now()).to.be.greaterThan(creationTime);
    await test.start();
    await test.engine.whenCalled('remove', id);
    expect(await test.store.get(id)).to.equal(undefined);
  });
});
