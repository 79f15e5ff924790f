import { expect } from 'chai';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from '../../../src/store/disk-state.ts';

describe('the data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-data-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is made where there is none, and named where it cannot be used', async () => {
    await dataFolder(join(folder, 'a', 'b'));
    expect(existsSync(join(folder, 'a', 'b'))).to.equal(true);
    await dataFolder(join(folder, 'a', 'b'));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const wrong of [file, join(file, 'below')]) expect(await dataFolder(wrong).then(() => undefined, String)).to.equal(`Error: the data folder ${wrong} (data) cannot be used`);
  });
});
