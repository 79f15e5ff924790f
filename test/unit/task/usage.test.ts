import { expect } from 'chai';
import { type ContainerUse, type Meters, read, totalOf } from '../../../src/task/usage.ts';

/** Readings one after the other, each of some containers: [cpuSeconds, peakMemory]. */
function after(...readings: Readonly<Record<string, ContainerUse>>[]): ContainerUse {
  return totalOf(readings.reduce<Meters>((meters, reading) => read(meters, new Map(Object.entries(reading))), {}));
}

describe('what a job has used', () => {
  const use = (cpuSeconds: number, peakMemory: number): ContainerUse => ({ cpuSeconds, peakMemory });

  it('is nothing before anything was read', () => {
    expect(after()).to.deep.equal(use(0, 0));
  });

  it('is what was read last of the only container', () => {
    expect(after({ one: use(1, 10) }, { one: use(3, 20) })).to.deep.equal(use(3, 20));
  });

  it('keeps the highest peak where the engine tells only what is used now', () => {
    expect(after({ one: use(1, 50) }, { one: use(3, 20) })).to.deep.equal(use(3, 50));
  });

  it('adds up over starts of a container, again and again, and never counts down', () => {
    expect(after({ one: use(5, 10) }, { one: use(1, 30) })).to.deep.equal(use(6, 30));
    expect(after({ one: use(5, 10) }, { one: use(1, 30) }, { one: use(2, 1) }, { one: use(0.5, 1) })).to.deep.equal(use(7.5, 30));
  });

  it('keeps what a container had that is over while another goes on, and adds both', () => {
    expect(after({ one: use(5, 10), two: use(1, 5) }, { two: use(2, 7) })).to.deep.equal(use(7, 17));
  });

  it('has those counters that an engine tells, of whatever container', () => {
    expect(after({ one: { ...use(1, 1), writtenBytes: 10, readBytes: 0 }, two: use(1, 1) })).to.deep.equal({ ...use(2, 2), readBytes: 0, writtenBytes: 10 });
    expect(after({ one: { ...use(5, 1), sentBytes: 10 } }, { one: { ...use(1, 1), sentBytes: 4 } })).to.deep.equal({ ...use(6, 1), sentBytes: 14 });
  });
});
