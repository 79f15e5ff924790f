import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import { EngineRefused } from '../../../src/engine/engine.ts';
import { GatewayError } from '../../../src/errors.ts';
import { type ResultStore } from '../../../src/store/result-store.ts';
import { imageOf, jobWith, PINNED_TASK } from '../../support/jobs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TestExecution } from '../../support/execution.ts';

/** Lets everything that needs no time happen. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('jobs in trouble', () => {
  let clock: FakeClock;
  let test: TestExecution;

  beforeEach(async () => {
    clock = new FakeClock();
    test = new TestExecution(clock);
    await test.start();
  });
  afterEach(() => test.remove());

  /** Time passes in small steps, as it does, until `holds`. */
  async function passesUntil(holds: () => Promise<boolean> | boolean, step = 1000): Promise<void> {
    const patience = AbortSignal.timeout(40_000);
    while (!patience.aborted) {
      await settled();
      // the store's disk is a real one
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (await holds()) return;
      clock.advance(step);
    }
    throw new Error(`it never happened: ${JSON.stringify(await test.store.count())}, calls ${JSON.stringify(test.engine.calls.filter(({ call }) => call !== 'list').slice(-12).map(({ call }) => call))}`);
  }

  const inPhase = (id: string, phase: string) => async (): Promise<boolean> => (await test.store.get(id))?.phase === phase;

  it('a full disk: the container is kept with what it has written, until its results can be', async () => {
    let full = true;
    const results = new Proxy<ResultStore>(test.results, {
      get(target, name) {
        if (name === 'write' && full) return () => Promise.reject(new GatewayError('Unavailable', 'the disk is full'));
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    await test.remove();
    test = new TestExecution(clock, { results });
    await test.start();
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.finish(id, { code: 0, stdout: 'precious' });
    await passesUntil(() => test.engine.calls.filter(({ call }) => call === 'logs').length > 3);
    expect((await test.get(id)).phase).to.equal('EXECUTING');
    expect(test.engine.jobs()).to.deep.equal([id]);
    full = false;
    await passesUntil(inPhase(id, 'COMPLETED'));
    expect((await test.get(id)).results.find((result) => result.id === 'stdout')?.size).to.equal(8);
  });

  it('an engine that answers no to a question about a container that runs: the job runs on', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.engine.whenCalled('wait', id);
    test.engine.failNext('wait', { error: new EngineRefused('something inside the engine', { temporary: true }) });
    test.engine.disconnect();
    await settled();
    test.engine.reconnect();
    await passesUntil(() => test.engine.calls.filter(({ call }) => call === 'wait').length > 2);
    expect((await test.get(id)).phase).to.equal('EXECUTING');
    test.engine.finish(id, { code: 0 });
    await passesUntil(inPhase(id, 'COMPLETED'));
  });

  it('logs that the engine does not give are left out in the end, and told; the job is what its exit code says', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    for (let i = 0; i < 20; i += 1) test.engine.failNext('logs', { error: new EngineRefused('configured logging driver does not support reading') });
    test.engine.finish(id, { code: 0, files: { a: '1' } });
    await passesUntil(inPhase(id, 'COMPLETED'));
    const job = await test.get(id);
    expect(job.results.map((result) => result.id)).to.deep.equal(['a']);
    expect(job.info.warnings?.join()).to.match(/stdout was left out: configured logging driver/);
  });

  it('an end that falls into an outage of the engine is transient: the engine has ended it', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.engine.whenCalled('wait', id);
    test.engine.disconnect();
    await settled();
    test.engine.finish(id, { code: 137 });
    test.engine.reconnect();
    await passesUntil(inPhase(id, 'ERROR'));
    expect((await test.get(id)).error).to.include({ type: 'transient' }).and.have.property('message').that.matches(/SIGKILL.*engine/);
  });

  it('a job that ran through an outage of the engine says that its output may lack something', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    await test.engine.whenCalled('wait', id);
    test.engine.disconnect();
    await settled();
    test.engine.finish(id, { code: 0 });
    test.engine.reconnect();
    await passesUntil(inPhase(id, 'COMPLETED'));
    expect((await test.get(id)).info.warnings?.join()).to.match(/engine was away.*may be missing/);
  });

  it('an outage after the end was seen takes nothing from the output, and is not told', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.failNext('logs', { error: new GatewayError('EngineUnavailable', 'away') });
    test.engine.finish(id, { code: 0 });
    await passesUntil(inPhase(id, 'COMPLETED'));
    expect((await test.get(id)).info.warnings).to.equal(undefined);
  });

  it('what was seen of a container that vanished afterwards is told', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.failNext('logs', { error: new GatewayError('EngineUnavailable', 'away') });
    test.engine.finish(id, { code: 0 });
    await test.engine.whenCalled('logs');
    test.engine.lose(id);
    await passesUntil(inPhase(id, 'ERROR'));
    expect((await test.get(id)).error).to.include({ type: 'transient' }).and.have.property('message').that.matches(/had ended with exit code 0/);
  });

  it('of a container that vanished while its results were copied, nothing stays that no record tells of', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    test.engine.failNext('outputs', { error: new GatewayError('EngineUnavailable', 'away') });
    test.engine.finish(id, { code: 0, stdout: 'kept' });
    await test.engine.whenCalled('outputs');
    expect(await test.results.jobs()).to.deep.equal([id]);
    test.engine.lose(id);
    await passesUntil(inPhase(id, 'ERROR'));
    await test.engine.whenCalled('remove', id);
    expect((await test.get(id)).results).to.deep.equal([]);
    expect(await test.results.jobs()).to.deep.equal([]);
  });

  it('of a job that cannot be ended properly neither', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    for (let i = 0; i < 20; i += 1) test.engine.failNext('outputs', { error: new Error('a fault of ours') });
    test.engine.finish(id, { code: 0, stdout: 'kept' });
    await passesUntil(inPhase(id, 'ERROR'));
    await passesUntil(() => test.engine.jobs().length === 0);
    expect((await test.get(id)).results).to.deep.equal([]);
    expect(await test.results.jobs()).to.deep.equal([]);
  });

  for (const [how, error] of [
    ['cannot be removed', new EngineRefused('device or resource busy')],
    ['the engine does not get done with', new GatewayError('EngineUnavailable', 'the container engine did not answer within 120 s')],
  ] as const) it(`one job that ${how} keeps no other from being recovered, started or destroyed`, async () => {
    const poison = jobWith({ id: '00000000-0000-4000-8000-000000000000', phase: 'COMPLETED', destruction: clock.now() + 1000 });
    await test.store.create(poison);
    const signal = new AbortController().signal;
    await test.engine.ensureImage(imageOf(poison), () => undefined, signal);
    await test.engine.create(poison.id, PINNED_TASK, signal);
    test.engine.refuseRemoval(poison.id, error);
    await test.stop();
    await test.start();
    const [first, doomed] = [await test.run(), jobWith({ phase: 'COMPLETED', destruction: clock.now() + 1000 })];
    await test.store.create(doomed);
    await test.inPhase(first.id, 'EXECUTING');
    test.engine.finish(first.id, { code: 0 });
    await passesUntil(inPhase(first.id, 'COMPLETED'));
    await passesUntil(async () => (await test.store.standing(doomed.id, clock.now())) === undefined);
    expect((await test.store.standing(poison.id, clock.now()))?.phase).to.equal('DELETED');
    test.engine.refuseRemoval(poison.id, undefined);
    await passesUntil(async () => (await test.store.standing(poison.id, clock.now())) === undefined);
    await passesUntil(() => test.engine.jobs().length === 0);
  });

  describe('a registry that does not answer', () => {
    const outage = new GatewayError('RegistryUnavailable', 'registry.test cannot be reached');

    it('a queued job waits for it and says so, lets others pass, and runs when it answers', async () => {
      test.policy.outage = (task) => (task.image.path.startsWith('away/') ? outage : undefined);
      const waiting = jobWith({ phase: 'QUEUED' });
      await test.store.create({ ...waiting, task: { ...PINNED_TASK, image: { ...PINNED_TASK.image, reference: { domain: 'registry.test', path: 'away/one' } } } });
      const { id } = await test.run();
      await passesUntil(inPhase(id, 'EXECUTING'));
      const job = await test.store.get(waiting.id);
      expect([job?.phase, job?.info.message]).to.deep.equal(['QUEUED', 'waiting: registry.test cannot be reached']);
      test.policy.outage = undefined;
      await passesUntil(inPhase(waiting.id, 'EXECUTING'));
      expect((await test.get(waiting.id)).info).to.deep.equal({});
    });

    it('as long after an outage of the engine as ever: a registry beside it comes back some moments later', async () => {
      for (let i = 0; i < 8; i += 1) test.engine.failNext('ensureImage');
      const { id } = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/a:1' }], run: true }, ANONYMOUS);
      await passesUntil(() => test.engine.calls.filter(({ call }) => call === 'ensureImage').length >= 8);
      const before = test.policy.asked;
      test.policy.outage = () => outage;
      await passesUntil(() => test.policy.asked >= before + 3);
      test.policy.outage = undefined;
      await passesUntil(async () => (await test.get(id)).phase !== 'QUEUED');
      expect((await test.get(id)).phase).to.equal('EXECUTING');
    });

    it('not for ever: after some minutes the job ends, transient, with the registry\'s name', async () => {
      const { id } = await test.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/a:1' }], run: false }, ANONYMOUS);
      test.policy.outage = () => outage;
      await test.execution.services.docker.run(id, ANONYMOUS);
      await passesUntil(inPhase(id, 'ERROR'));
      expect((await test.get(id)).error).to.deep.equal({ type: 'transient', message: 'registry.test cannot be reached' });
      expect(clock.now() - (await test.get(id)).creationTime).to.be.at.least(60_000);
    });
  });

  for (const step of ['ensureImage', 'create'] as const) {
    it(`a full disk of the engine at ${step}: the job waits for as long as it takes, says so, and runs when there is room`, async () => {
      const full = new GatewayError('EngineUnavailable', 'no space left on device');
      for (let i = 0; i < 12; i += 1) test.engine.failNext(step, { error: full });
      const { id } = await test.run();
      await passesUntil(() => test.engine.calls.filter(({ call }) => call === step).length >= 12);
      const job = await test.get(id);
      expect([job.phase, job.info.message]).to.deep.equal(['QUEUED', 'waiting: no space left on device']);
      await passesUntil(inPhase(id, 'EXECUTING'));
    });
  }

  it('a container that an earlier try has started is taken as it is, though nobody can be asked about its image', async () => {
    test.engine.failNext('start', { after: true });
    const { id } = await test.run();
    await test.engine.whenStarted(id);
    test.policy.outage = () => new GatewayError('RegistryUnavailable', 'away');
    await passesUntil(inPhase(id, 'EXECUTING'));
    expect(test.engine.starts(id)).to.equal(1);
  });

  describe('a gateway that dies while it starts a job with secrets', () => {
    /** Its call has started the container, `arrived`: with the secrets. Nobody has looked whether. */
    async function dies(arrived: boolean): Promise<string> {
      const start = test.engine.start.bind(test.engine);
      test.engine.start = async (jobId, signal, secrets, mayAct) => {
        test.engine.start = start;
        await start(jobId, signal, arrived ? secrets : undefined, mayAct);
        throw new GatewayError('EngineUnavailable', 'gone');
      };
      const parameters = [{ name: 'IMAGE', value: 'registry.test/a:1' }, { name: 'SECRET.token', value: 'x' }];
      return (await test.execution.services.docker.create({ parameters, run: true }, ANONYMOUS)).id;
    }

    it('when the program has them: it is taken as it is', async () => {
      const id = await dies(true);
      await passesUntil(inPhase(id, 'EXECUTING'));
      expect(test.engine.starts(id)).to.equal(1);
    });

    it('when the program is without them: it is ended, and the job with it', async () => {
      const id = await dies(false);
      await passesUntil(inPhase(id, 'ERROR'));
      expect((await test.get(id)).error).to.deep.equal({ type: 'transient', message: 'it does not have its secrets' });
      await passesUntil(() => test.engine.jobs().length === 0);
      expect(test.engine.starts(id)).to.equal(1);
    });
  });

  describe('an engine that dies while it is asked to start a container', () => {
    async function dies(back: () => void): Promise<string> {
      test.engine.failNext('start');
      const { id } = await test.run();
      await test.engine.whenCalled('start', id);
      test.engine.disconnect();
      await settled();
      back();
      return id;
    }

    it('and was only out of reach: the container is started, once', async () => {
      const id = await dies(() => test.engine.reconnect());
      await passesUntil(inPhase(id, 'EXECUTING'));
      expect(test.engine.starts(id)).to.equal(1);
    });

    it('and has forgotten whether it did: the program is not run again, and the job says why', async () => {
      const id = await dies(() => test.engine.restart());
      await passesUntil(inPhase(id, 'ERROR'));
      expect((await test.get(id)).error).to.include({ type: 'transient' }).and.have.property('message').that.contains('not known').and.not.contains('went down');
      expect(test.engine.starts(id)).to.equal(0);
      await passesUntil(() => test.engine.jobs().length === 0);
    });

    it('from then on what it has is not made anew, were it only half of what was asked for: the program may have run in it', async () => {
      await passesUntil(inPhase(await dies(() => test.engine.restart()), 'ERROR'));
      expect(test.engine.makingAnew).to.deep.equal([true, false]);
    });
  });

  it('what the engine refuses to start is not tried again: nobody knows whether it ran', async () => {
    test.engine.behave({ refuseStart: new EngineRefused('task already exists', { temporary: true }) });
    const { id } = await test.run();
    await passesUntil(inPhase(id, 'ERROR'));
    expect((await test.get(id)).error).to.deep.equal({ type: 'transient', message: 'task already exists' });
    await passesUntil(() => test.engine.jobs().length === 0);
    expect(test.engine.calls.filter(({ call }) => call === 'start')).to.have.length(1);
  });

  it('a service that the engine could not start for a trouble of its own: the job may be sent again', async () => {
    const { id } = await test.run();
    await passesUntil(inPhase(id, 'EXECUTING'));
    const error = 'service web could not be started: no space left on device';
    test.engine.finish(id, { code: -1, error, temporary: true });
    await passesUntil(inPhase(id, 'ERROR'));
    expect((await test.get(id)).error).to.deep.equal({ type: 'transient', message: error });
  });

  it('a job that needs more than the site offers now is told so, and holds nobody up', async () => {
    const large = jobWith({ phase: 'QUEUED' });
    await test.store.create({ ...large, task: { ...large.task!, resources: { cores: 100, memory: 1 } } });
    const { id } = await test.run();
    await passesUntil(inPhase(large.id, 'ERROR'));
    await passesUntil(inPhase(id, 'EXECUTING'));
    expect((await test.store.get(large.id))?.error?.message).to.contain('more than this site now offers');
  });

  it('an abort that another process was told of is noticed here', async () => {
    const { id } = await test.run();
    await test.inPhase(id, 'EXECUTING');
    const other = test.another();
    await other.start();
    await other.execution.services.docker.abort(id, ANONYMOUS);
    await passesUntil(() => test.engine.jobs().length === 0);
    expect((await test.get(id)).phase).to.equal('ABORTED');
    await other.stop();
  });

  it('a job that was given up half-way is taken up again, though its lease could not be given back', async () => {
    let stuck = true;
    await test.remove();
    test = new TestExecution(clock, {}, (store) => new Proxy(store, {
      get(target, name) {
        if (stuck && (name === 'release' || name === 'changePhase')) return () => Promise.reject(new Error('a fault of ours'));
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    }));
    await test.start();
    const { id } = await test.run();
    await passesUntil(() => test.engine.calls.some(({ call }) => call === 'start'));
    await passesUntil(() => test.engine.calls.filter(({ call }) => call === 'inspect').length > 2);
    stuck = false;
    await passesUntil(inPhase(id, 'EXECUTING'));
    expect(test.engine.starts(id)).to.equal(1);
  });

  it('an owner with hundreds of jobs in the queue does not keep the others waiting', async () => {
    const many = Array.from({ length: 300 }, () => jobWith({ phase: 'QUEUED', owner: 'alice' }));
    test.execution.drain();
    await Promise.all(many.map((job) => test.store.create(job)));
    const bob = jobWith({ phase: 'QUEUED', owner: 'bob' });
    await test.store.create(bob);
    await test.stop();
    await test.start();
    await passesUntil(inPhase(bob.id, 'EXECUTING'));
    expect(await test.store.count()).to.include({ EXECUTING: 4 });
  });
});
