import { expect } from 'chai';
import { choosePlatform } from '../../../src/image/choose-platform.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { ImageUnacceptable } from '../../../src/image/image-unacceptable.ts';
import type { Descriptor } from '../../../src/image/manifest.ts';
import { formatPlatform, normalisePlatform, samePlatform } from '../../../src/image/platform.ts';
import { MEDIA_TYPES } from '../../support/oci-image.ts';

/** `name os/architecture[/variant]`, in an index under its name. */
function entry(text: string, more: Partial<Descriptor> = {}): Descriptor {
  const [name = '', platform] = text.split(' ');
  const [os = '', architecture = '', variant] = (platform ?? '').split('/');
  return {
    mediaType: MEDIA_TYPES.oci.manifest,
    digest: digestOf(name),
    size: 1,
    annotations: {},
    ...(platform === undefined ? {} : { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } }),
    ...more,
  };
}

const nested = (text: string): Descriptor => entry(text, { mediaType: MEDIA_TYPES.oci.index });
const attestation = (text: string): Descriptor => entry(text, { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } });

/** title, entries, wanted, name of the chosen one or code */
const table: readonly (readonly [string, readonly Descriptor[], string, string])[] = [
  ['the one of the platform', [entry('a linux/arm64'), entry('b linux/amd64')], 'linux/amd64', 'b'],
  ['the first of two, as the engine does', [entry('a linux/amd64'), entry('b linux/amd64')], 'linux/amd64', 'a'],
  ['another spelling', [entry('a linux/aarch64/v8')], 'linux/arm64', 'a'],
  ['letter case', [entry('a Linux/AMD64')], 'linux/amd64', 'a'],
  ['arm without variant is v7', [entry('a linux/arm/v6'), entry('b linux/arm')], 'linux/arm/v7', 'b'],
  ['a variant exactly', [entry('a linux/arm/v7'), entry('b linux/arm/v6')], 'linux/arm/v6', 'b'],
  ['no falling back to a lower variant', [entry('a linux/arm/v6')], 'linux/arm/v7', 'image.platform'],
  ['no falling back from amd64/v3', [entry('a linux/amd64/v3')], 'linux/amd64', 'image.platform'],
  ['another system', [entry('a windows/amd64')], 'linux/amd64', 'image.platform'],
  ['attestations are no images', [entry('a unknown/unknown'), attestation('b linux/amd64'), entry('c linux/amd64')], 'linux/amd64', 'c'],
  ['attestations only', [entry('a unknown/unknown'), attestation('b linux/amd64')], 'linux/amd64', 'image.platform'],
  ['nothing', [], 'linux/amd64', 'image.platform'],
  ['other documents', [entry('a linux/amd64', { mediaType: 'application/x' })], 'linux/amd64', 'image.platform'],
  ['the only one, without platform', [entry('a'), entry('x unknown/unknown')], 'linux/amd64', 'a'],
  ['one of two without platform', [entry('a'), entry('b')], 'linux/amd64', 'image.platform'],
  ['an index within', [entry('a linux/arm64'), nested('b')], 'linux/amd64', 'b'],
  ['an index within, for another platform', [nested('b linux/arm64')], 'linux/amd64', 'image.platform'],
  ['rather the image than an index within', [nested('a'), entry('b linux/amd64')], 'linux/amd64', 'b'],
  ['two indexes within', [nested('a'), nested('b')], 'linux/amd64', 'image.nested-index'],
];

describe('the choice of a platform', () => {
  for (const [title, manifests, wanted, answer] of table) {
    it(`${title}: ${answer}`, () => {
      const [os = '', architecture = '', variant = ''] = wanted.split('/');
      const choose = () => choosePlatform({ kind: 'index', mediaType: MEDIA_TYPES.oci.index, manifests }, { os, architecture, variant });
      if (answer.startsWith('image.')) expect(choose).to.throw(ImageUnacceptable).with.property('code', answer);
      else expect(choose().digest).to.equal(digestOf(answer));
    });
  }

  it('says what there is instead', () => {
    const choose = () => choosePlatform({ kind: 'index', mediaType: 'x', manifests: [entry('a linux/arm64'), entry('b li\u001bnux/arm/v6')] }, { os: 'linux', architecture: 'amd64', variant: '' });
    expect(choose).to.throw('the image is not for linux/amd64; there is linux/arm64, li?nux/arm/v6');
  });
});

describe('platforms', () => {
  const spellings: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64'], ['linux/x86_64', 'linux/amd64'], ['linux/amd64/v1', 'linux/amd64'], ['linux/amd64/v2', 'linux/amd64/v2'],
    ['linux/aarch64', 'linux/arm64'], ['linux/arm64/v8', 'linux/arm64'], ['linux/arm64/8', 'linux/arm64'], ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm'], ['linux/arm/v7', 'linux/arm'], ['linux/arm/7', 'linux/arm'], ['linux/armhf', 'linux/arm'], ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'], ['Linux/S390X', 'linux/s390x'], ['linux/riscv64', 'linux/riscv64'],
  ];
  for (const [given, expected] of spellings) {
    it(`${given} is ${expected}`, () => {
      const [os = '', architecture = '', variant = ''] = given.split('/');
      const platform = normalisePlatform({ os, architecture, variant });
      expect(formatPlatform(platform)).to.equal(expected);
      expect(samePlatform(platform, normalisePlatform(platform))).to.equal(true);
    });
  }
});
