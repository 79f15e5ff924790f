import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { parseRange } from '../../../src/http/range.ts';

describe('byte ranges (RFC 9110 §14.2)', () => {
  const of = (header: string | undefined, size: number): string => {
    try {
      const range = parseRange(header, size);
      return range === undefined ? 'whole' : `${String(range.start)}-${String(range.end)}`;
    } catch (error) {
      return error instanceof GatewayError ? `${error.code} ${String(error.headers['Content-Range'])}` : 'thrown';
    }
  };
  const table: readonly [string | undefined, number, string][] = [
    [undefined, 10, 'whole'], ['bytes=0-0', 10, '0-0'], ['bytes=0-9', 10, '0-9'], ['bytes=0-10', 10, '0-9'], ['bytes=3-', 10, '3-9'], ['bytes=-3', 10, '7-9'], ['bytes=-10', 10, '0-9'], ['bytes=-11', 10, '0-9'], [' bytes=1-2 ', 10, '1-2'],
    ['bytes=10-', 10, 'RangeNotSatisfiable bytes */10'], ['bytes=-0', 10, 'RangeNotSatisfiable bytes */10'], ['bytes=0-', 0, 'RangeNotSatisfiable bytes */0'], ['bytes=-5', 0, 'RangeNotSatisfiable bytes */0'],
    ['bytes=5-4', 10, 'whole'], ['bytes=-', 10, 'whole'], ['bytes=', 10, 'whole'], ['bytes=1-2,3-4', 10, 'whole'], ['bytes=a-2', 10, 'whole'], ['Bytes=1-2', 10, 'whole'], ['items=1-2', 10, 'whole'], ['bytes=99999999999999999999-', 10, 'whole'],
  ];
  for (const [header, size, expected] of table) it(`${String(header)} of ${String(size)} -> ${expected}`, () => expect(of(header, size)).to.equal(expected));
});
