import { expect } from 'chai';
import fc from 'fast-check';
import { readSoftware } from '../../../src/planner/codemeta.ts';
import { parseMapping } from '../../../src/planner/document.ts';

const read = (description: unknown): ReturnType<typeof readSoftware> => readSoftware(parseMapping(JSON.stringify(description)), 'c');
const G = 2 ** 30;

describe('readSoftware', () => {
  for (const [text, bytes] of [
    ['2048 Mb', 2 * G], ['8 GB RAM', 8 * G], ['2GB minimum, 8GB recommended', 2 * G], ['1GB RAM minimum', G], ['Minimum 1GB RAM', G], ['512MB', G / 2], ['1.5 GiB', 1.5 * G], ['1,5 GB', 1.5 * G], ['at least 4G', 4 * G], [['4 GB'], 4 * G],
    [{ '@type': 'QuantitativeValue', value: '4 GB' }, 4 * G], ['Minimal', undefined], ['None', undefined], ['', undefined], ['lots', undefined], ['16 MHz', undefined], ['3 of 4', undefined],
  ] as const) {
    it(`reads the memory ${JSON.stringify(text)}`, () => {
      expect(read({ memoryRequirements: text }).memory).to.equal(bytes);
    });
  }

  for (const [text, cores] of [['4 cores', 4], ['4-core CPU', 4], ['2 CPUs minimum, 8 CPUs recommended', 2], ['x86_64', undefined], ['1GHz', undefined], ['Any', undefined], ['8 x cores', 8], ['16 threads', 16], ['0 cores', undefined]] as const) {
    it(`reads the processor ${JSON.stringify(text)}`, () => {
      expect(read({ processorRequirements: text }).cores).to.equal(cores);
    });
  }

  it('tells what it cannot read, and not what says nothing', () => {
    const { unclear } = read({ memoryRequirements: 'enough', storageRequirements: 'none', processorRequirements: 'fast' });
    expect(unclear.map(({ path }) => path)).to.deep.equal(['c.memoryRequirements', 'c.processorRequirements']);
  });

  for (const [text, url] of [
    ['https://github.com/a/b', 'https://github.com/a/b'], ['git+https://github.com/a/b.git', 'https://github.com/a/b'], ['git@github.com:a/b.git', 'https://github.com/a/b'], ['ssh://git@gitlab.com/a/b', 'https://gitlab.com/a/b'], ['scm:git:https://x.org/a/b', 'https://x.org/a/b'],
    ['http://github.com/a/b/', 'https://github.com/a/b/'], ['github.com/a/b', undefined], ['javascript:alert(1)', undefined], ['https://u:p@x.org/a', undefined], ['file:///etc', undefined],
  ] as const) {
    it(`reads the repository ${text}`, () => {
      expect(read({ codeRepository: text }).repositories).to.deep.equal(url === undefined ? [] : [url]);
    });
  }

  for (const [text, image] of [
    ['docker://registry.test/a:1', 'registry.test/a:1'], ['oci://x/y@sha256:1', 'x/y@sha256:1'], ['https://hub.docker.com/r/a/b', 'docker.io/a/b'], ['https://hub.docker.com/r/a/b/tags', 'docker.io/a/b'], ['https://hub.docker.com/_/busybox', 'docker.io/library/busybox'],
    ['https://quay.io/repository/a/b', 'quay.io/a/b'], ['https://hub.docker.com.evil.org/r/a/b', undefined], ['https://github.com/a/b/archive/v1.zip', undefined], ['busybox', undefined],
  ] as const) {
    it(`reads the image ${text}`, () => {
      expect(read({ downloadUrl: text }).images).to.deep.equal(image === undefined ? [] : [image]);
      expect(read({ targetProduct: { '@type': 'SoftwareApplication', url: text } }).images).to.deep.equal(image === undefined ? [] : [image]);
    });
  }

  for (const [systems, foreign] of [[['Linux', 'macOS'], undefined], ['OS Independent', undefined], ['any', undefined], ['Windows', ['Windows']], [['Windows 10', 'Xbox OS'], ['Windows 10', 'Xbox OS']], [undefined, undefined], ['Ubuntu 22.04', undefined]] as const) {
    it(`knows whether ${JSON.stringify(systems)} is Linux`, () => {
      expect(read(systems === undefined ? {} : { operatingSystem: systems }).foreignSystems).to.deep.equal(foreign);
    });
  }

  it('reads anything at all without falling', () => {
    const names = fc.constantFrom('memoryRequirements', 'processorRequirements', 'storageRequirements', 'operatingSystem', 'codeRepository', 'downloadUrl', 'targetProduct', 'runtimePlatform');
    fc.assert(fc.property(fc.dictionary(names, fc.jsonValue({ maxDepth: 4 })), (description) => void read(description)));
  });

  it('takes linear time', function () {
    this.timeout(2000);
    for (const text of ['1 '.repeat(50_000), '1'.repeat(100_000), `git@${'a'.repeat(100_000)}`, `https://${'a/'.repeat(50_000)}`, '-x '.repeat(50_000), `docker://${'a'.repeat(100_000)} `]) read({ memoryRequirements: text, processorRequirements: text, codeRepository: text, downloadUrl: text, operatingSystem: text });
  });
});
