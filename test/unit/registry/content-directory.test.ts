import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLogger } from '../../../src/logger.ts';
import { ContentDirectory } from '../../../src/registry/content-directory.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the cache folder', () => {
  let path = '';
  let clock: FakeClock;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'pratique-content-')), 'cache');
    clock = new FakeClock();
  });
  afterEach(() => rm(join(path, '..'), { recursive: true }));
  const open = (maxBytes = 2 ** 20) => new ContentDirectory(path, maxBytes, clock, createLogger('silent'));
  const content = (text: string) => ({ mediaType: 'text/x', bytes: Buffer.from(text) });
  const read = async (directory: ContentDirectory, key: string) => {
    const found = await directory.get(key);
    return found === undefined ? undefined : `${found.mediaType} ${Buffer.from(found.bytes).toString()}`;
  };

  it('gives back what was put, line breaks and all, also to the next process', async () => {
    await open().put('key', content('a\nb\n\n'));
    expect(await read(open(), 'key')).to.equal('text/x a\nb\n\n');
    expect(await read(open(), 'other key')).to.equal(undefined);
  });

  it('is for its owner only, and has no names that a key chose', async () => {
    await open().put('../../../etc/passwd', content('x'));
    const [name = ''] = await readdir(path);
    expect(name).to.match(/^[0-9a-f]{64}$/);
    expect((await stat(path)).mode & 0o077).to.equal(0);
    expect((await stat(join(path, name))).mode & 0o077).to.equal(0);
  });

  it('removes what was not used for longest when it is full', async () => {
    const directory = open(1000);
    for (const key of ['a', 'b', 'c']) {
      await directory.put(key, content('x'.repeat(230)));
      clock.advance(10_000);
      await directory.get(key);
    }
    clock.advance(10_000);
    await directory.get('a');
    clock.advance(10_000);
    await directory.put('d', content('x'.repeat(300)));
    await directory.get('d');
    expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => (await directory.get(key)) !== undefined))).to.deep.equal([true, false, true, true]);
  });

  it('leaves files alone that are not its own', async () => {
    const directory = open(100);
    await directory.put('a', content('x'));
    await writeFile(join(path, 'README'), 'y'.repeat(1000));
    await open(100).put('b', content('x'.repeat(200)));
    expect(await readdir(path)).to.include('README');
  });

  it('takes a file that is none of its documents for nothing', async () => {
    const directory = open();
    await directory.put('key', content('x'));
    const [name = ''] = await readdir(path);
    await writeFile(join(path, name), 'without a line break');
    expect(await directory.get('key')).to.equal(undefined);
    await writeFile(join(path, name), Buffer.alloc(9 * 2 ** 20));
    expect(await directory.get('key')).to.equal(undefined);
  });
});
