import { expect } from 'chai';
import fc from 'fast-check';
import { grantedDuration, offeredRanges, shortfalls, UNKNOWN_SITE, wanted } from '../../../src/planner/container-resources.ts';
import { formatAmount, parseResources } from '../../../src/planner/resources.ts';

describe('resources of a question', () => {
  it('reads the example of note §5', () => {
    const { ranges, shortDurations } = parseResources({ minstore: '8G', maxstore: '10G', mincores: '8', maxcores: '10', minmemory: '8G', maxmemory: '10G', minstartup: '5s', maxstartup: '60s', minduration: '5m', maxduration: '10m' });
    const G = 2 ** 30;
    expect(ranges).to.deep.equal({ store: { min: 8 * G, max: 10 * G }, cores: { min: 8, max: 10 }, memory: { min: 8 * G, max: 10 * G }, startup: { min: 5, max: 60 }, duration: { min: 300, max: 600 } });
    expect(shortDurations).to.equal(true);
  });

  it('spells amounts as the note does', () => {
    expect([formatAmount('cores', 1.5, true), formatAmount('memory', 1536 * 2 ** 20, true), formatAmount('duration', 600, true), formatAmount('duration', 90, true), formatAmount('duration', 86_400, true), formatAmount('duration', 600, false)]).to.deep.equal([1.5, '1536M', '10m', '90s', '1d', 'PT10M']);
  });
});

describe('what a task is granted', () => {
  const positive = fc.integer({ min: 1, max: 100 });
  const range = fc.oneof(fc.constant(undefined), fc.record({ min: positive }), fc.record({ max: positive }), fc.tuple(positive, positive).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })));

  it('is never below min, above max or above what there is, unless it is refused', () => {
    fc.assert(
      fc.property(range, positive, positive, (asked, usual, most) => {
        const site = { ...UNKNOWN_SITE, cores: { default: Math.min(usual, most), max: most } };
        const refused = shortfalls(asked === undefined ? {} : { cores: asked }, offeredRanges(site, undefined)).length > 0;
        const granted = wanted(asked, site.cores, most) ?? site.cores.default;
        expect(refused).to.equal(asked !== undefined && 'min' in asked && asked.min > most);
        if (refused) return;
        expect(granted).to.be.at.most(most);
        if (asked !== undefined && 'min' in asked) expect(granted).to.be.at.least(asked.min);
        if (asked !== undefined && 'max' in asked) expect(granted).to.be.at.most(asked.max);
      }),
    );
  });

  for (const [asked, bounded, seconds] of [
    [undefined, { default: 3600, max: 86_400 }, 3600], [{ max: 60 }, { default: 3600, max: 86_400 }, 60], [{ min: 7200 }, { default: 3600, max: 86_400 }, 7200], [{ max: 1e6 }, { default: 3600, max: 86_400 }, 86_400],
    [undefined, { default: 0, max: 0 }, 0], [{ max: 60 }, { default: 0, max: 0 }, 60], [{ min: 60 }, { default: 0, max: 0 }, 0], [{ min: 60 }, { default: 10, max: 0 }, 60],
  ] as const) {
    it(`gives ${String(seconds)} s for ${JSON.stringify(asked)} where the site has ${JSON.stringify(bounded)}`, () => {
      expect(grantedDuration(asked, bounded)).to.equal(seconds);
    });
  }
});
