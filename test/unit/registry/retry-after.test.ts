import { expect } from 'chai';
import { retryAfterSeconds } from '../../../src/registry/retry-after.ts';

const NOW = Date.UTC(2026, 0, 1);

describe('Retry-After', () => {
  const table: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined], ['', undefined], ['0', 0], ['120', 120], [' 120 ', 120], ['86401', 86_400], ['999999999', 86_400],
    ['-1', undefined], ['1.5', undefined], ['soon', undefined], ['9'.repeat(30), undefined],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60], ['Thu, 01 Jan 2026 00:00:00 GMT', 0], ['Wed, 31 Dec 2025 00:00:00 GMT', 0], ['Fri, 01 Jan 2027 00:00:00 GMT', 86_400],
    ['2026-01-01T00:01:00Z', undefined], ['nonsense GMT', undefined],
  ];
  for (const [header, seconds] of table) it(`${JSON.stringify(header ?? null)} is ${seconds}`, () => expect(retryAfterSeconds(header, NOW)).to.equal(seconds));
});
