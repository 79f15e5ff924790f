import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileResultStore } from '../../../src/store/file-result-store.ts';

const JOB = '00000000-0000-4000-8000-000000000001';
const SIZE = 100_000;

/** Keeps one chunk of SIZE bytes in a process whose files may have fewer: the first write is short, as where a disk has just room for a part. */
const PROGRAM = `
  const { Readable } = await import('node:stream');
  const { FileResultStore } = await import('./src/store/file-result-store.ts');
  const store = new FileResultStore(process.argv[1]);
  await store.write('${JOB}', 'stdout', Readable.from([Buffer.alloc(${String(SIZE)})]), Infinity).then(() => console.log('kept'), ({ cause, code }) => console.log(cause?.code ?? code));
`;

describe('FileResultStore', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-results-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('does not keep a part of a result as the whole when the disk takes only a part', async () => {
    const { stderr, stdout } = spawnSync('sh', ['-c', 'ulimit -f 64 && exec "$@"', 'sh', process.execPath, '--import', 'tsx', '--input-type=module', '--eval', PROGRAM, folder], {
      encoding: 'utf8', env: { ...process.env, TSX_DISABLE_CACHE: '1' },
    });
    expect(stdout, stderr).to.equal('EFBIG\n');
    expect(readdirSync(join(folder, JOB)), 'nothing is left of it').to.deep.equal([]);
    expect(await new FileResultStore(folder).read(JOB, 'stdout')).to.equal(undefined);
  });
});
