import { expect } from 'chai';
import { formatCursor, parseCursor } from '../../../src/uws/event-cursor.ts';

describe('cursors of event streams', () => {
  it('come back as they were', () => {
    for (const cursor of [{ phase: undefined, stdout: 0, stderr: 0 }, { phase: 'EXECUTING', stdout: 12, stderr: 999_999_999 }] as const) expect(parseCursor(formatCursor(cursor))).to.deep.equal(cursor);
    expect(parseCursor(undefined)).to.deep.equal({ phase: undefined, stdout: 0, stderr: 0 });
  });

  it('that were never given out are refused', () => {
    for (const text of ['x', 'PENDING', '..', 'FOO.1.2', 'PENDING.1', 'PENDING.1.2.3', 'PENDING.-1.2', 'PENDING.1.1e3', 'PENDING.1.9999999999999999']) expect(() => parseCursor(text), text).to.throw('Last-Event-ID');
  });
});
