import { expect } from 'chai';
import { SingleFlight } from '../../../src/registry/single-flight.ts';

const NEVER = new AbortController().signal;

describe('single flight', () => {
  /** Work that ends when it is told to, and says when it is aborted. */
  function controlled() {
    let calls = 0;
    let finish: (value: string) => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    let aborted: unknown;
    const work = (signal: AbortSignal) => {
      calls += 1;
      signal.addEventListener('abort', () => void (aborted = signal.reason as unknown));
      return new Promise<string>((resolve, reject) => {
        finish = resolve;
        fail = reject;
      });
    };
    return { work, calls: () => calls, finish: (value: string) => finish(value), fail: (error: Error) => fail(error), aborted: () => aborted };
  }

  it('does equal work once, and again when it is over', async () => {
    const flights = new SingleFlight<string>();
    const { work, calls, finish } = controlled();
    const both = Promise.all([flights.run('a', NEVER, work), flights.run('a', NEVER, work)]);
    finish('done');
    expect(await both).to.deep.equal(['done', 'done']);
    const third = flights.run('a', NEVER, work);
    finish('again');
    expect([await third, calls()]).to.deep.equal(['again', 2]);
  });

  it('does different work apart', async () => {
    const flights = new SingleFlight<string>();
    expect(await Promise.all([flights.run('a', NEVER, async () => 'a'), flights.run('b', NEVER, async () => 'b')])).to.deep.equal(['a', 'b']);
  });

  it('fails for all who wait, and not for who comes later', async () => {
    const flights = new SingleFlight<string>();
    const { work, fail } = controlled();
    const outcomes = Promise.allSettled([flights.run('a', NEVER, work), flights.run('a', NEVER, work)]);
    fail(new Error('broken'));
    expect((await outcomes).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect(await flights.run('a', NEVER, async () => 'whole')).to.equal('whole');
  });

  it('goes on while anybody waits, and is aborted when the last one leaves', async () => {
    const flights = new SingleFlight<string>();
    const { work, aborted, calls } = controlled();
    const [one, two] = [new AbortController(), new AbortController()];
    const outcomes = Promise.allSettled([flights.run('a', one.signal, work), flights.run('a', two.signal, work)]);
    one.abort(new Error('one'));
    expect(aborted()).to.equal(undefined);
    two.abort(new Error('two'));
    expect(aborted()).to.have.property('message', 'two');
    expect((await outcomes).map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Error).message : ''))).to.deep.equal(['one', 'two']);
    // What was aborted is nobody's answer any more.
    const next = flights.run('a', NEVER, async () => 'new');
    expect([await next, calls()]).to.deep.equal(['new', 1]);
  });

  it('does not begin for who has left already', async () => {
    const flights = new SingleFlight<string>();
    const { work, calls } = controlled();
    const error = await flights.run('a', AbortSignal.abort(new Error('left')), work).catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'left');
    expect(calls()).to.equal(0);
  });
});
