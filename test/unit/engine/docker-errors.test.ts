import { expect } from 'chai';
import { cleaned, DockerStatusError, fromDockerode, refusal } from '../../../src/engine/docker-errors.ts';
import { GatewayError } from '../../../src/errors.ts';

/** An error as dockerode makes it. */
function dockerode(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${String(statusCode)}) unexpected - ${message} `), { statusCode, json: { message } });
}

describe('fromDockerode', () => {
  it('an answer is a status and words', () => {
    const error = fromDockerode(dockerode(409, 'Conflict. The name is in use'));
    expect(error).to.be.instanceOf(DockerStatusError).and.deep.include({ status: 409, message: 'Conflict. The name is in use' });
  });

  for (const status of [502, 503, 504]) {
    it(`${String(status)} is an outage`, () => void expect(fromDockerode(dockerode(status, 'x'))).to.be.instanceOf(GatewayError).with.property('code', 'EngineUnavailable'));
  }

  for (const cause of [Object.assign(new Error('connect ECONNREFUSED /var/run/docker.sock'), { code: 'ECONNREFUSED' }), new Error('socket hang up'), undefined, 'text']) {
    it(`${String(cause)} is an outage, and says nothing of the inside`, () => {
      const error = fromDockerode(cause);
      expect(error).to.be.instanceOf(GatewayError).with.property('code', 'EngineUnavailable');
      expect(error.message).to.equal('the container engine does not answer');
    });
  }
});

describe('refusal', () => {
  it('is final for 4xx and may pass for 5xx', () => {
    expect(refusal('create it', new DockerStatusError(400, 'bad', undefined)).temporary).to.equal(false);
    expect(refusal('create it', new DockerStatusError(500, 'bad', undefined)).temporary).to.equal(true);
  });
});

describe('cleaned', () => {
  const cases: readonly (readonly [words: string, shown: string])[] = [
    ['', 'no reason given'],
    ['  plain  words ', 'plain words'],
    ['(HTTP code 500) server error - no space ', 'no space'],
    ['mounting "/var/lib/docker/overlay2/abc/merged/x" failed', 'mounting "(path)" failed'],
    ['open /run/containerd/io.containerd.runtime.v2.task: denied', 'open (path): denied'],
    ['exec: "tool": executable file not found in $PATH: unknown', 'exec: "tool": executable file not found in $PATH: unknown'],
    ['Get "https://registry.example/v2/": dial tcp 10.1.2.3:443: connect: refused', 'Get "https://registry.example/v2/": dial tcp (address): connect: refused'],
    ['lookup a on [fd00::1]:53: no', 'lookup a on (address): no'],
    [`container ${'ab'.repeat(32)} is gone`, 'container (id) is gone'],
    ['one\ntwo\r\u0000\u001b[31mthree\u202egnp', 'one two [31mthree gnp'],
    ['x'.repeat(1000), `${'x'.repeat(300)}…`],
  ];
  for (const [words, shown] of cases) it(JSON.stringify(words.slice(0, 60)), () => void expect(cleaned(words)).to.equal(shown));
});
