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
    ["error while mounting volume '/data/docker/volumes/v/_data': get v: database not open", "error while mounting volume '(path)': get v: database not open"],
    ['open /tmp/x/containers/1/config.v2.json: no space left', 'open (path): no space left'],
    ['lowerdir=/data/d/l/A:/data/d/l/B,upperdir=/data/d/diff: no', 'lowerdir=(path):(path),upperdir=(path): no'],
    ['mkdir "/big disk/docker roots/tmp": denied', 'mkdir "(path)": denied'],
    ['stat file:///data/x and unix:///data/docker.sock: no', 'stat (path) and (path): no'],
    ['fork/exec /data/bin/runc: input/output error', 'fork/exec (path): input/output error'],
    ['exec: "/app/tool": stat /app/tool: no such file', 'exec: "/app/tool": stat /app/tool: no such file'],
    ['exec /app/tool: exec format error', 'exec /app/tool: exec format error'],
    ['chdir to cwd ("/work/in") set in config.json failed', 'chdir to cwd ("/work/in") set in config.json failed'],
    ['mounting "/data/d/volumes/v/_data" to rootfs at "/output": create mountpoint for /output mount: no', 'mounting "(path)" to rootfs at "/output": create mountpoint for /output mount: no'],
    ['mounting "/output" to rootfs "/data/d/overlay2/x/merged" at "/data/d/overlay2/x/merged/output": no', 'mounting "(path)" to rootfs "(path)" at "(path)": no'],
    ['to rootfs at "/data/d/vfs/dir/1/output": no', 'to rootfs at "(path)": no'],
    ['exec: "/usr/bin/some-runtime": stat /usr/bin/some-runtime: no such file', 'exec: "(path)": stat (path): no such file'],
    ['pull access denied for registry.example:5000/team/tool, docker.io/library/x@sha256:1', 'pull access denied for registry.example:5000/team/tool, docker.io/library/x@sha256:1'],
    ['manifest for localhost/a/b not found; 10/8 of tcp/udp and/or w/o', 'manifest for localhost/a/b not found; 10/8 of tcp/udp and/or w/o'],
    ['one\ntwo\r\u0000\u001b[31mthree\u202egnp', 'one two [31mthree gnp'],
    ['x'.repeat(1000), `${'x'.repeat(300)}…`],
  ];
  for (const [words, shown] of cases) it(JSON.stringify(words.slice(0, 60)), () => void expect(cleaned(words)).to.equal(shown));
});
