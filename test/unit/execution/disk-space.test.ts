import { expect } from 'chai';
import { DiskSpace } from '../../../src/execution/disk-space.ts';
import { createLogger } from '../../../src/logger.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const LOOK = 1_000;
const SUM = 10_000;

describe('room on the disk', () => {
  let clock: FakeClock;
  let disk: { free: number; store: number; results: number };
  let asked: number;
  let space: DiskSpace;

  beforeEach(async () => {
    clock = new FakeClock();
    disk = { free: 1000, store: 10, results: 100 };
    asked = 0;
    space = new DiskSpace({
      budget: { keepFree: 500, store: 20, results: 200 },
      state: {
        free: async () => {
          if (Number.isNaN(disk.free)) throw new Error('no such disk');
          return disk.free;
        },
        store: async () => disk.store,
        results: async () => {
          asked += 1;
          return disk.results;
        },
      },
      clock,
      logger: createLogger('silent'),
    });
    await space.start();
  });
  afterEach(() => space.stop());

  const look = async (): Promise<void> => {
    await clock.whenSleepingUntil(clock.now() + LOOK);
    clock.advance(LOOK);
    await clock.whenSleepingUntil(clock.now() + LOOK);
  };

  for (const [what, change, text] of [
    ['little is free', { free: 499 }, 'nearly full'],
    ['the store is as large as it may be', { store: 20 }, 'records'],
    ['the disk cannot be asked', { free: Number.NaN }, 'cannot be read'],
  ] as const) {
    it(`is none while ${what}`, async () => {
      expect(space.closure).to.equal(undefined);
      const before = { ...disk };
      Object.assign(disk, change);
      await look();
      expect(space.closure?.code).to.equal('site.disk');
      expect(space.closure?.text).to.contain(text);
      Object.assign(disk, before);
      await look();
      expect(space.closure).to.equal(undefined);
    });
  }

  it('is none while the results are as many as may be; they are added up now and then', async () => {
    disk.results = 200;
    await look();
    expect([asked, space.closure]).to.deep.equal([1, undefined]);
    for (let passed = LOOK; passed < SUM; passed += LOOK) await look();
    expect(asked).to.equal(2);
    expect(space.closure?.text).to.contain('results');
  });
});
