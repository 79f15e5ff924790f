import { expect } from 'chai';
import { decodeQuery } from '../../../src/http/request-body.ts';
import { parseWait } from '../../../src/uws/wait.ts';

describe('WAIT and PHASE (UWS 1.1 §2.2.1.3)', () => {
  const seconds = (query: string): number => parseWait(decodeQuery(`/?${query}`), 60).seconds;

  it('are whole seconds, cut to the cap; -1 is the cap', () => {
    for (const [query, expected] of [['', 0], ['WAIT=0', 0], ['WAIT=7', 7], ['wait=60', 60], ['WAIT=61', 60], ['WAIT=-1', 60], ['WAIT=007', 7], [`WAIT=${'9'.repeat(400)}`, 60]] as const) expect(seconds(query), query).to.equal(expected);
  });

  it('are refused when they are no number, a negative one, or given twice', () => {
    for (const wait of ['', '-2', '-0', '1.5', '1e2', '0x1', '%201', 'abc', 'NaN', 'Infinity', '%E0%A5%A7', '1&WAIT=1', '1&wait=2']) expect(() => seconds(`WAIT=${wait}`), wait).to.throw('WAIT');
    for (const phase of ['', 'pending', 'RUN', 'PENDING&PHASE=PENDING']) expect(() => seconds(`PHASE=${phase}`), phase).to.throw('PHASE');
  });
});
