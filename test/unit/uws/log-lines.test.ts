import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { linesFrom } from '../../../src/uws/log-lines.ts';

async function lines(chunks: readonly Buffer[], start = 0): Promise<readonly (readonly [string, number])[]> {
  const found: (readonly [string, number])[] = [];
  for await (const { text, end } of linesFrom(Readable.from(chunks), start)) found.push([text, end]);
  return found;
}

describe('lines of a log', () => {
  it('are what stands between line ends, with the bytes up to theirs', async () => {
    expect(await lines([Buffer.from('a\nbé\r\n\nlast')])).to.deep.equal([['a', 2], ['bé', 7], ['', 8], ['last', 12]]);
    expect(await lines([])).to.deep.equal([]);
  });

  it('are the same however the bytes arrive, and from the end of any of them on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'é', '\u{1F600}', '\n', '\r\n', ' ')), fc.array(fc.integer({ min: 1, max: 5 })), async (pieces, cuts) => {
        const whole = Buffer.from(pieces.join(''));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, whole.length]) {
          if (at < whole.length) chunks.push(whole.subarray(at, at + cut));
          at += cut;
        }
        const expected = await lines(whole.length === 0 ? [] : [whole]);
        expect(await lines(chunks)).to.deep.equal(expected);
        for (const [index, [, end]] of expected.entries()) expect(await lines(chunks, end)).to.deep.equal(expected.slice(index + 1));
      }),
      { numRuns: 200 },
    );
  });

  it('that never end are cut, so that they need no memory without end', async () => {
    const found = await lines([Buffer.alloc(200_000, 'x')]);
    expect(found.map(([text]) => text.length)).to.deep.equal([65_536, 65_536, 65_536, 200_000 - 3 * 65_536]);
  });
});
