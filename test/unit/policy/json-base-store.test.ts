import { expect } from 'chai';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sightingOf } from '../../../src/policy/base-sighting.ts';
import { JsonBaseStore } from '../../../src/policy/json-base-store.ts';
import { imageOf } from '../../support/memory-registry.ts';

describe('base sightings in a file', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'pratique-bases-'))));
  afterEach(() => rm(directory, { recursive: true }));
  const image = imageOf('a.b/base:1', { indexed: true, config: { env: ['PATH=/x', 'PATH=/y'], entrypoint: ['/init'] } });
  const sighting = sightingOf(image.reference, image, 1234);

  it('are none before the first time', async () => expect(await new JsonBaseStore(join(directory, 'x/bases.json')).load()).to.deep.equal([]));

  it('come back as they were saved', async () => {
    const path = join(directory, 'state/bases.json');
    await new JsonBaseStore(path).save([sighting]);
    expect(await new JsonBaseStore(path).load()).to.deep.equal([sighting]);
    expect(sighting.path).to.equal('/y');
  });

  it('are replaced as a whole, in a file of the gateway alone', async () => {
    const path = join(directory, 'bases.json');
    const store = new JsonBaseStore(path);
    await store.save([sighting]);
    await store.save([]);
    expect(await store.load()).to.deep.equal([]);
    expect(await readdir(directory)).to.deep.equal(['bases.json']);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  const broken: readonly (readonly [what: string, text: string])[] = [
    ['cut short', '{"version":1,"sigh'],
    ['empty', ''],
    ['of another version', '{"version":2,"sightings":[]}'],
    ['with a base without layers', JSON.stringify({ version: 1, sightings: [{ ...sighting, diffIds: [] }] })],
    ['with something that is no digest', JSON.stringify({ version: 1, sightings: [{ ...sighting, diffIds: ['sha256:1'] }] })],
  ];
  for (const [what, text] of broken) {
    it(`are not guessed from a file ${what}`, async () => {
      const path = join(directory, 'bases.json');
      await writeFile(path, text);
      const error = await new JsonBaseStore(path).load().then(() => undefined, (reason: unknown) => reason);
      expect(String(error)).to.include('not a file of base sightings');
    });
  }
});
