import { expect } from 'chai';
import { engineSchema } from '../../../src/engine/engine-config.ts';

describe('the engine section of the configuration', () => {
  it('may be empty', () => {
    expect(engineSchema.parse({})).to.deep.equal({
      plaintext: false, tmp: 2 ** 28, work: 2 ** 30, sharedMemory: 2 ** 26, processes: 256, openFiles: 4096, fileSize: 10 * 2 ** 30,
      outputBytes: 64 * 2 ** 30, outputQuota: false, outputLook: 5, logSize: 10 * 2 ** 20, stopGrace: 10, hostHasNoSwap: false, withoutSeccomp: false, networks: [], require: [], answerWithin: 120,
    });
  });

  const wrong: readonly (readonly [string, Record<string, unknown>])[] = [
    ['sockets', { sockets: 1 }],
    ['host', { host: 'ssh://x' }],
    ['host', { host: 'unix://relative' }],
    ['gateway', { gateway: 'A.b' }],
    ['gateway', { gateway: '-a' }],
    ['runtime', { runtime: '../runc' }],
    ['tmp', { tmp: 'much' }],
    ['tmp', { tmp: 1024 }],
    ['work', { work: '0M' }],
    ['logSize', { logSize: '1K' }],
    ['processes', { processes: 0 }],
    ['processes', { processes: 1.5 }],
    ['openFiles', { openFiles: -1 }],
    ['stopGrace', { stopGrace: 601 }],
    ['answerWithin', { answerWithin: 0 }],
    ['hostHasNoSwap', { hostHasNoSwap: 'yes' }],
    ['require', { require: ['everything'] }],
  ];
  for (const [member, section] of wrong) {
    it(`refuses ${JSON.stringify(section)}`, () => {
      const { error } = engineSchema.safeParse(section);
      const paths = error?.issues.map((issue) => (issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0]));
      expect(paths).to.deep.equal([member]);
    });
  }
});
