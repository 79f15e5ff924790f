import { Readable } from 'node:stream';
import { expect } from 'chai';
import { pack } from 'tar-stream';
import { isReadable, lastLine } from '../../../src/engine/docker-progress.ts';

function tarOf(content: string, header: { readonly type?: 'file' | 'symlink'; readonly linkname?: string } = {}) {
  const tar = pack();
  tar.entry({ name: 'progress', ...header }, header.type === 'symlink' ? '' : content);
  tar.finalize();
  return Readable.from(tar as AsyncIterable<Buffer>);
}

describe('the progress of a running container', () => {
  it('is the last line that is not empty, control characters as blanks, not too long', async () => {
    for (const [text, line] of [
      ['50 %', '50 %'], ['a\nb\n', 'b'], ['a\r\nb\r\n\r\n', 'b'], ['10%\r20%\r', '20%'], ['\u001b[31mred\u0007', '[31mred'], ['', undefined], ['\n\n', undefined], ['é <&>', 'é <&>'], ['x'.repeat(500), 'x'.repeat(200)],
    ] as const) {
      expect(await lastLine(tarOf(text)), JSON.stringify(text)).to.equal(line);
    }
  });

  it('is not read from links, or from a tar that is none', async () => {
    expect(await lastLine(tarOf('', { type: 'symlink', linkname: '/etc/passwd' }))).to.equal(undefined);
    const empty = pack();
    empty.finalize();
    expect(await lastLine(Readable.from(empty as AsyncIterable<Buffer>))).to.equal(undefined);
  });

  it('is asked for only where there is a short regular file', () => {
    const file = { size: 10, isFile: true, permissions: 0o644, modified: 0 };
    expect([file, { ...file, isFile: false }, { ...file, size: 100_000 }, undefined].map(isReadable)).to.deep.equal([true, false, false, false]);
  });
});
