import { expect } from 'chai';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { GatewayError } from '../../../src/errors.ts';
import { Lease, LeaseLost } from '../../../src/execution/lease.ts';
import type { JobStore } from '../../../src/store/job-store.ts';
import { jobWith } from '../../support/jobs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

describe('leases', () => {
  const LENGTH = 10_000;
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock);
    await test.start();
  });
  afterEach(() => test.remove());

  const leaseOf = (holder: string, store: JobStore = test.store): Lease => new Lease({ store, clock, holder, length: LENGTH });

  /** A job that `holder` has claimed. */
  async function claimedBy(holder: string): Promise<string> {
    const job = jobWith({ phase: 'QUEUED', destruction: null });
    await test.store.create(job);
    await test.store.claim(job.id, holder, clock.now());
    return job.id;
  }

  it('holds while it is renewed, and no longer than its length after the last heartbeat began', async () => {
    test.execution.drain();
    const lease = leaseOf('a');
    await lease.renew();
    const id = await claimedBy('a');
    clock.advance(LENGTH - 1);
    expect(await lease.holds(id)).to.equal(true);
    await lease.renew();
    clock.advance(LENGTH);
    expect(await lease.holds(id)).to.equal(false);
    expect(await lease.mustHold(id).catch((error: unknown) => error)).to.be.instanceOf(LeaseLost);
  });

  it('is lost with the job that somebody else has taken over', async () => {
    test.execution.drain();
    const [a, b] = [leaseOf('a'), leaseOf('b')];
    await a.renew();
    const id = await claimedBy('a');
    clock.advance(LENGTH);
    await b.renew();
    expect(await test.store.claim(id, 'b', clock.now())).not.to.equal(undefined);
    await a.renew();
    expect([await a.holds(id), await b.holds(id)]).to.deep.equal([false, true]);
  });

  for (const step of [3_600_000, -3_600_000]) {
    it(`neither ends nor lasts longer for its holder when the clock is put ${step > 0 ? 'forward' : 'back'}`, async () => {
      test.execution.drain();
      const lease = leaseOf('a');
      await lease.renew();
      const id = await claimedBy('a');
      clock.step(step);
      expect(await lease.holds(id)).to.equal(true);
      clock.advance(LENGTH);
      expect(await lease.holds(id)).to.equal(false);
    });
  }

  it('is asked for before whatever the engine does in a wait', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.engine.whenCalled('wait', id);
    await test.engine.mayAct(id);
    test.store.holds = async () => false;
    expect(await test.engine.mayAct(id).catch((error: unknown) => error)).to.be.instanceOf(Error);
  });

  it('is asked for once more between the call of a start and what the engine does: lost, nothing is started', async () => {
    const holds = test.store.holds.bind(test.store);
    test.engine.beforeStart = async () => {
      test.store.holds = async () => false;
    };
    const start = test.engine.start.bind(test.engine);
    const failed = new Promise<unknown>((resolve) => {
      test.engine.start = async (...given) => {
        const outcome = start(...given);
        await outcome.catch(() => undefined);
        test.execution.drain();
        test.store.holds = holds;
        resolve(await outcome.catch((error: unknown) => error));
        return outcome;
      };
    });
    const { id } = await test.run();
    expect(await failed).to.be.instanceOf(Error);
    expect(test.engine.starts(id)).to.equal(0);
  });

  it('a gateway that freezes while it starts a job starts nothing when it wakes, whatever its successor has done', async () => {
    let frozen = false;
    const first = new TestExecution(clock, { lease: LENGTH / 1000 }, (store) => new Proxy(store, {
      get(target, name) {
        if (name === 'heartbeat' && frozen) return () => Promise.reject(new GatewayError('Unavailable', 'asleep'));
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    }));
    const start = first.engine.start.bind(first.engine);
    let thaw = (): void => undefined;
    const thawed = new Promise<void>((resolve) => (thaw = resolve));
    let late: Promise<unknown> | undefined;
    first.engine.start = (jobId, signal, secrets, options) => {
      first.engine.start = start;
      const mayAct = async (): Promise<void> => {
        frozen = true;
        await thawed;
        await options?.mayAct?.();
      };
      const starting = start(jobId, signal, secrets, { mayAct });
      late = starting.catch((error: unknown) => error);
      return starting;
    };
    await first.start();
    const { id } = await first.run();
    while (!frozen) await new Promise((resolve) => setImmediate(resolve));
    const second = first.another();
    await second.start();
    while (first.engine.starts(id) === 0) {
      clock.advance(LENGTH / 5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(first.engine.calls.filter(({ call, jobId }) => call === 'create' && jobId === id)).to.have.length(3);
    first.engine.refuseRemoval(id, new EngineRefused('not now'));
    first.engine.finish(id, { code: 0 });
    await second.inPhase(id, 'COMPLETED');
    thaw();
    expect(await late).to.have.property('name', 'Interrupted');
    expect(first.engine.starts(id)).to.equal(1);
    first.engine.refuseRemoval(id, undefined);
    await second.stop();
    await first.remove();
  });

  it('a gateway that cannot store its heartbeats lets its jobs go, and touches none that another has taken over', async () => {
    let full = false;
    const first = new TestExecution(clock, { lease: LENGTH / 1000 }, (store) => new Proxy(store, {
      get(target, name) {
        if (name === 'heartbeat' && full) return () => Promise.reject(new GatewayError('Unavailable', 'full'));
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    }));
    await first.start();
    // long: this clock runs while the disk that a takeover waits for does not
    const { id } = await first.run({ executionDuration: 86_400 });
    await first.inPhase(id, 'EXECUTING');
    await first.engine.whenCalled('wait', id);
    full = true;
    const second = first.another();
    await second.start();
    for (let i = 0; i < 12; i += 1) {
      clock.advance(LENGTH / 5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (first.engine.calls.filter(({ call, jobId }) => call === 'wait' && jobId === id).length < 2) {
      clock.advance(LENGTH / 5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    first.engine.finish(id, { code: 0, stdout: 'kept' });
    const job = await second.inPhase(id, 'COMPLETED');
    expect(job.error).to.equal(null);
    await first.engine.whenCalled('remove', id);
    expect(first.engine.calls.filter(({ call, jobId }) => ['stop', 'remove', 'outputs'].includes(call) && jobId === id).map(({ call }) => call)).to.deep.equal(['outputs', 'remove']);
    expect(first.engine.starts(id)).to.equal(1);
    await second.stop();
    await first.remove();
  });
});
