import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { composeParameterName, parseComposeParameters } from '../../../src/task/compose-parameters.ts';
import { containerParameterName, parseContainerParameters } from '../../../src/task/container-parameters.ts';

const VALUE = 'ada:hush-7f3a';
const IMAGE = { name: 'IMAGE', value: 'reg.example:5000/a/b:1' };
const problem = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code} ${error.path ?? ''}: ${error.message}`;
    throw error;
  }
  return 'none';
};

describe('REGISTRY.<HOST>', () => {
  it('names a registry as references do, in any letter case', () => {
    for (const nameOf of [containerParameterName, composeParameterName]) {
      expect(nameOf('registry.Reg.Example:5000')).to.equal('REGISTRY.reg.example:5000');
      expect(nameOf('Registry.registry-1.docker.io')).to.equal('REGISTRY.docker.io');
      for (const wrong of ['REGISTRY.', 'REGISTRY.a b', 'REGISTRY.https://reg.example', 'REGISTRY.0x7f.1', 'REGISTRY.[::1]']) expect(problem(() => nameOf(wrong)), wrong).to.match(/^BadParameter/);
    }
  });

  it('is a user and a password, of which the first colon is the end of the user', () => {
    for (const [value, username, password] of [[VALUE, 'ada', 'hush-7f3a'], ['ada:a:b c', 'ada', 'a:b c'], ['ada:from-a-file\n', 'ada', 'from-a-file']] as const) {
      const logins = parseContainerParameters([IMAGE, { name: 'REGISTRY.reg.example:5000', value }])?.logins;
      expect(logins?.of('reg.example:5000')).to.deep.equal({ username, password });
      expect(logins?.of('reg.example')).to.equal(undefined);
    }
  });

  it('is refused where it is none, by a message that does not quote it', () => {
    for (const value of ['hush-7f3a', ':hush-7f3a', 'hush-7f3a:', 'a:hush-7f3a\nb:c', '', `ada:${'hush-7f3a'.repeat(4000)}`]) {
      for (const parse of [parseContainerParameters, parseComposeParameters]) {
        const told = problem(() => parse([{ name: 'REGISTRY.reg.example:5000', value }]));
        expect(told, value.slice(0, 20)).to.match(/^BadParameter REGISTRY\.reg\.example:5000/).and.to.not.include('hush');
      }
    }
  });

  it('is refused for a registry that the image is not from, so that nobody is told a password for nothing', () => {
    expect(problem(() => parseContainerParameters([IMAGE, { name: 'REGISTRY.other.example', value: VALUE }]))).to.match(/^BadParameter REGISTRY\.other\.example: .*the image is from reg\.example:5000/);
  });

  it('comes eight times at most', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({ name: `REGISTRY.r${String(i)}.example`, value: VALUE }));
    for (const parse of [parseContainerParameters, parseComposeParameters]) expect(problem(() => parse(many))).to.match(/^BadParameter REGISTRY: more than 8/);
    expect(parseComposeParameters([{ name: 'COMPOSEFILE', value: 'services: {}' }, ...many.slice(1)])?.logins?.domains).to.have.length(8);
  });
});
