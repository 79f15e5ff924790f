import { expect } from 'chai';
import fc from 'fast-check';
import { formatDuration, formatSize, parseCores, parseDuration, parseSize } from '../../../src/task/units.ts';

const K = 1024;

describe('parseSize', () => {
  const sizes: readonly (readonly [string, number])[] = [
    ['8G', 8 * K ** 3], ['8GB', 8 * K ** 3], ['8Gi', 8 * K ** 3], ['8GiB', 8 * K ** 3], ['8 GiB', 8 * K ** 3], [' 8g ', 8 * K ** 3],
    ['8192M', 8 * K ** 3], ['512k', 512 * K], ['1T', K ** 4], ['1.5G', 1.5 * K ** 3], ['1000B', 1000], ['1b', 1],
  ];
  for (const [text, bytes] of sizes) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseSize(text)).to.equal(bytes);
    });
  }

  it('counts a bare number only in a unit that is named', () => {
    expect(parseSize('8')).to.equal(undefined);
    expect(parseSize('8', 'G')).to.equal(8 * K ** 3);
    expect(parseSize('8M', 'G')).to.equal(8 * K ** 2);
  });

  for (const text of ['', '0', '0G', '-1G', '+1G', '1e3M', '1,5G', '8X', '8iB', '8i', '8GG', 'G', '9'.repeat(16), '1_000M', '٣G', '99999999T']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseSize(text, 'G')).to.equal(undefined);
    });
  }
});

describe('formatSize', () => {
  it('says bytes with the largest suffix that says them exactly', () => {
    expect([8 * K ** 3, 1536 * K ** 2, 1000, K ** 4, 1].map(formatSize)).to.deep.equal(['8G', '1536M', '1000B', '1T', '1B']);
  });

  it('is read back as the same number', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => parseSize(formatSize(bytes)) === bytes));
  });
});

describe('parseDuration', () => {
  const durations: readonly (readonly [string, number])[] = [
    ['60', 60], ['60s', 60], ['5m', 300], ['1h30m', 5400], ['2d', 172800], ['1d1s', 86401], ['0', 0], [' 5m ', 300],
    ['PT5M', 300], ['P1D', 86400], ['P1W', 604800], ['P1DT1H', 90000], ['PT0S', 0], ['PT90S', 90],
  ];
  for (const [text, seconds] of durations) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseDuration(text)).to.equal(seconds);
    });
  }

  for (const text of ['', 'P', 'PT', 'P1DT', 'P5M', 'P1Y', 'P1M', 'P1W1D', '1.5h', '-5m', '30m1h', 'pt5m', '5 m', 'm']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseDuration(text)).to.equal(undefined);
    });
  }
});

describe('formatDuration', () => {
  it('is ISO 8601', () => {
    expect([300, 86430, 0, 90, 604800].map(formatDuration)).to.deep.equal(['PT5M', 'P1DT30S', 'PT0S', 'PT1M30S', 'P7D']);
  });

  it('is read back as the same number', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seconds) => parseDuration(formatDuration(seconds)) === seconds));
  });
});

describe('parseCores', () => {
  it('takes whole and fractional numbers above nothing', () => {
    expect(['2', '0.5', ' 1.25 ', '0.001'].map(parseCores)).to.deep.equal([2, 0.5, 1.25, 0.001]);
    expect(['0', '0.0', '-1', '1e3', '', '1.0001', '.5', '1.', 'x'].map(parseCores)).to.deep.equal(Array<undefined>(9).fill(undefined));
  });
});
