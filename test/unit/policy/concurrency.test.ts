import { expect } from 'chai';
import { orAborted, Slots } from '../../../src/policy/concurrency.ts';

describe('slots', () => {
  it('let so many run at a time, the others in order, failures included', async () => {
    const slots = new Slots(2);
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        slots.run(async () => {
          order.push(i);
          most = Math.max(most, (running += 1));
          await new Promise(setImmediate);
          running -= 1;
          if (i % 3 === 0) throw new Error('no');
        }),
      ),
    );
    expect(most).to.equal(2);
    expect(order).to.deep.equal([...order].sort((a, b) => a - b));
    expect(results.map(({ status }) => status === 'rejected')).to.deep.equal(order.map((i) => i % 3 === 0));
  });
});

describe('waiting that can be given up', () => {
  const never = new Promise<string>(() => undefined);
  it('resolves and rejects as the work does', async () => {
    expect(await orAborted(Promise.resolve('done'), new AbortController().signal)).to.equal('done');
    expect(await orAborted(Promise.reject(new Error('no')), new AbortController().signal).catch(String)).to.equal('Error: no');
  });
  it('rejects with the reason, before and after', async () => {
    const given = new AbortController();
    const waiting = orAborted(never, given.signal).catch(String);
    given.abort(new Error('given up'));
    expect(await waiting).to.equal('Error: given up');
    expect(await orAborted(never, given.signal).catch(String)).to.equal('Error: given up');
  });
});
