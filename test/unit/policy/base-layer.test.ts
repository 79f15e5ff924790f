import { expect } from 'chai';
import fc from 'fast-check';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import { BaseIndex, baseProblem, chainIds, commonLayers } from '../../../src/policy/base-layer.ts';
import { sightingOf, type BaseSighting } from '../../../src/policy/base-sighting.ts';
import { imageOf, LINUX_AMD64 } from '../../support/memory-registry.ts';

function sighting(name: string, layers: readonly string[], lastSeen = 0): BaseSighting {
  const image = imageOf(`a.b/${name}:1`, { layers });
  return { ...sightingOf(image.reference, image, 0), lastSeen };
}

const ids = (layers: readonly string[]): Digest[] => layers.map((layer) => digestOf(layer));
const found = (index: BaseIndex, layers: readonly string[]): string[] => index.beneath(ids(layers), LINUX_AMD64).map(({ reference }) => reference);

describe('chain ids (image-spec, config.md, Layer ChainID)', () => {
  it('are those of the specification', () => {
    const [a, b, c] = ids(['a', 'b', 'c']) as [Digest, Digest, Digest];
    const two = digestOf(`${a} ${b}`);
    expect(chainIds([a, b, c])).to.deep.equal([a, two, digestOf(`${two} ${c}`)]);
    expect(chainIds([])).to.deep.equal([]);
  });
});

describe('bases beneath an image', () => {
  const layers = fc.array(fc.constantFrom('a', 'b', 'c', 'empty'), { minLength: 1, maxLength: 6 });

  it('are exactly those whose layers are a prefix, the longest first', () => {
    fc.assert(
      fc.property(fc.array(layers, { maxLength: 12 }), layers, (bases, image) => {
        const index = new BaseIndex();
        bases.forEach((base, i) => index.put(sighting(`base${i}`, base)));
        const expected = bases.filter((base) => base.every((layer, i) => layer === image[i]));
        const beneath = index.beneath(ids(image), LINUX_AMD64);
        expect(beneath.map(({ diffIds }) => diffIds.join()).sort()).to.deep.equal(expected.map((base) => ids(base).join()).sort());
        const lengths = beneath.map(({ diffIds }) => diffIds.length);
        expect(lengths).to.deep.equal([...lengths].sort((a, b) => b - a));
      }),
    );
  });

  it('never include one whose layers are there in another order, or not from the first on', () => {
    const index = new BaseIndex();
    index.put(sighting('base', ['a', 'b']));
    for (const image of [['b', 'a'], ['x', 'a', 'b'], ['a', 'x', 'b'], ['a'], ['ab'], []]) expect(found(index, image), image.join()).to.deep.equal([]);
    expect(found(index, ['a', 'b', 'x'])).to.deep.equal(['a.b/base:1']);
  });

  it('are of the same platform only', () => {
    const index = new BaseIndex();
    index.put(sighting('base', ['a']));
    for (const other of [{ ...LINUX_AMD64, architecture: 'arm64' }, { ...LINUX_AMD64, os: 'windows' }, { ...LINUX_AMD64, variant: 'v2' }]) {
      expect(index.beneath(ids(['a']), other)).to.deep.equal([]);
    }
  });

  it('come with the most recently seen first among equals, and follow what is known of them', () => {
    const index = new BaseIndex();
    index.put(sighting('old', ['a'], 1));
    index.put(sighting('new', ['a'], 2));
    expect(found(index, ['a', 'b'])).to.deep.equal(['a.b/new:1', 'a.b/old:1']);
    index.put(sighting('old', ['a'], 3));
    expect(found(index, ['a', 'b'])).to.deep.equal(['a.b/old:1', 'a.b/new:1']);
    index.delete(sighting('old', ['a'], 3));
    expect(found(index, ['a', 'b'])).to.deep.equal(['a.b/new:1']);
  });
});

describe('an approved base', () => {
  const EMPTY = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';
  it('must have a layer', () => expect(baseProblem([])).to.match(/no layers/));
  it('must have one that is not empty', () => expect(baseProblem([EMPTY, digestOf(''), digestOf(Buffer.alloc(10240))])).to.match(/empty/));
  it('may have empty ones too', () => expect(baseProblem([EMPTY, digestOf('something')])).to.equal(undefined));
});

describe('common layers', () => {
  for (const [one, other, common] of [['', '', 0], ['ab', 'ac', 1], ['ab', 'ab', 2], ['ab', 'abc', 2], ['abc', 'ab', 2], ['a', 'b', 0]] as const) {
    it(`of "${one}" and "${other}" are ${common}`, () => expect(commonLayers(ids([...one]), ids([...other]))).to.equal(common));
  }
});
