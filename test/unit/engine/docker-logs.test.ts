import { expect } from 'chai';
import fc from 'fast-check';
import { demultiplexed } from '../../../src/engine/docker-logs.ts';

function frame(kind: number, text: string): Buffer {
  const head = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function read(bytes: Buffer, stream: 'stdout' | 'stderr', sizes: readonly number[] = [bytes.length]): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of demultiplexed(pieces(bytes, sizes), stream)) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

describe('demultiplexed', () => {
  const mixed = Buffer.concat([frame(1, 'a'), frame(2, 'X'), frame(1, ''), frame(1, 'bc'), frame(0, 'in'), frame(2, 'YZ')]);

  it('takes one stream out of the mixed one', async () => {
    expect(await read(mixed, 'stdout')).to.equal('abc');
    expect(await read(mixed, 'stderr')).to.equal('XYZ');
    expect(await read(Buffer.alloc(0), 'stdout')).to.equal('');
  });

  it('however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(0, 1, 2), fc.string())), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        async (frames, sizes) => {
          const bytes = Buffer.concat(frames.map(([kind, text]) => frame(kind, text)));
          const wanted = Buffer.concat(frames.filter(([kind]) => kind === 1).map(([, text]) => Buffer.from(text))).toString('utf8');
          expect(await read(bytes, 'stdout', sizes)).to.equal(wanted);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('passes a frame on before it is complete', async () => {
    const parts = demultiplexed(pieces(frame(1, 'abcdef'), [10]), 'stdout');
    expect(String(Buffer.from((await parts.next()).value ?? []))).to.equal('ab');
  });

  const broken: readonly (readonly [string, Buffer])[] = [
    ['cut in a frame', mixed.subarray(0, mixed.length - 1)],
    ['cut in a head', mixed.subarray(0, 3)],
    ['plain text', Buffer.from('hello world, this is no log')],
    ['an unknown stream', frame(3, 'x')],
    ['an endless frame', Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])],
  ];
  for (const [what, bytes] of broken) {
    it(`${what}: the engine is not understood`, async () => {
      let error: unknown;
      await read(bytes, 'stdout').catch((thrown: unknown) => (error = thrown));
      expect(error).to.have.property('code', 'EngineUnavailable');
    });
  }
});
