import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dockerConnection } from '../../../src/engine/docker-connection.ts';
import { engineSchema } from '../../../src/engine/engine-config.ts';

type Environment = Record<string, string>;

function place(settings: Record<string, unknown>, environment: Environment = {}): Record<string, unknown> {
  const { agent, options } = dockerConnection(engineSchema.parse(settings), environment);
  agent.destroy();
  const { socketPath, host, port, protocol } = options;
  return Object.fromEntries(Object.entries({ socketPath, host, port, protocol }).filter(([, value]) => value !== undefined));
}

describe('dockerConnection', () => {
  const unix = (socketPath: string) => ({ socketPath, protocol: 'http' });
  const tcp = (host: string, port: number, protocol = 'http') => ({ host, port, protocol });

  const cases: readonly (readonly [string, Record<string, unknown>, Environment, object])[] = [
    ['the default socket', {}, {}, unix('/var/run/docker.sock')],
    ['an empty DOCKER_HOST is none', {}, { DOCKER_HOST: '' }, unix('/var/run/docker.sock')],
    ['DOCKER_HOST', {}, { DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }, unix('/run/user/1000/docker.sock')],
    ['the configuration wins', { host: 'unix:///a' }, { DOCKER_HOST: 'unix:///b' }, unix('/a')],
    ['this machine needs no TLS', {}, { DOCKER_HOST: 'tcp://127.0.0.1:2375' }, tcp('127.0.0.1', 2375)],
    ['nor by its other names', { host: 'tcp://[::1]:2375' }, {}, tcp('::1', 2375)],
    ['localhost', { host: 'tcp://localhost:1' }, {}, tcp('localhost', 1)],
    ['another one without TLS only when told', { host: 'tcp://engine:2375', plaintext: true }, {}, tcp('engine', 2375)],
  ];
  for (const [what, settings, environment, expected] of cases) {
    it(what, () => void expect(place(settings, environment)).to.deep.equal(expected));
  }

  for (const host of ['tcp://engine:2375', 'http://engine:2375', 'tcp://10.0.0.1:2375', 'tcp://127.evil.example:2375', 'tcp://[::2]:1']) {
    it(`${host} without TLS is refused`, () => void expect(() => place({}, { DOCKER_HOST: host })).to.throw(/without TLS is root/));
  }

  for (const host of ['ssh://engine', 'npipe:////./pipe/docker', 'engine:2375', 'tcp://engine', 'tcp://engine:2375/path', 'tcp://user@engine:1']) {
    it(`${host} is not understood`, () => void expect(() => place({}, { DOCKER_HOST: host })).to.throw(/must be unix/));
  }

  it('TLS with certificates', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-certificates-'));
    try {
      for (const file of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(join(folder, file), '');
      expect(place({ host: 'tcp://engine:2376', certificates: folder })).to.deep.equal(tcp('engine', 2376, 'https'));
      expect(place({}, { DOCKER_HOST: 'tcp://engine:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder })).to.deep.equal(tcp('engine', 2376, 'https'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  describe('Portainer', () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'pratique-portainer-'));
      writeFileSync(join(folder, 'token'), 'ptr_abc=\n');
      writeFileSync(join(folder, 'empty'), '\n');
    });
    after(() => rmSync(folder, { recursive: true }));

    const settings = (url: string, more: Record<string, unknown> = {}, file = 'token') => engineSchema.parse({ portainer: { url, environment: 3, tokenFile: join(folder, file) }, ...more });

    it('is a host, a prefix and a key; the environment of the process has no say', () => {
      const { agent, options, prefix, headers } = dockerConnection(settings('https://portainer.example.org/tools/'), { DOCKER_HOST: 'unix:///elsewhere' });
      agent.destroy();
      const { host, port, protocol, socketPath } = options;
      expect({ host, port, protocol, socketPath }).to.deep.equal({ host: 'portainer.example.org', port: 443, protocol: 'https', socketPath: undefined });
      expect({ prefix, headers }).to.deep.equal({ prefix: '/tools/api/endpoints/3/docker', headers: { 'X-API-Key': 'ptr_abc=' } });
    });

    it('over plain http only on this machine, or when told', () => {
      expect(() => dockerConnection(settings('http://portainer.example.org:9000'), {})).to.throw(/use https/);
      for (const given of [settings('http://127.0.0.1:9000'), settings('http://portainer.example.org:9000', { plaintext: true })]) dockerConnection(given, {}).agent.destroy();
    });

    it('needs a token, and an address that is nothing else', () => {
      expect(() => dockerConnection(settings('https://p.example.org', {}, 'empty'), {})).to.throw(/one access token/);
      expect(() => dockerConnection(settings('https://user@p.example.org'), {})).to.throw(/an address and perhaps a path/);
    });

    it('is not a second place beside host', () => {
      expect(() => settings('https://p.example.org', { host: 'unix:///a' })).to.throw(/not both/);
    });
  });

  it('TLS without certificates is an error, never plain text', () => {
    expect(() => place({}, { DOCKER_HOST: 'tcp://127.0.0.1:2376', DOCKER_TLS_VERIFY: '1' })).to.throw(/needs certificates/);
    expect(() => place({ plaintext: true }, { DOCKER_HOST: 'https://engine:2376' })).to.throw(/needs certificates/);
  });

  it('takes nothing from the environment of the process by itself', () => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://elsewhere:1';
    try {
      expect(place({})).to.deep.equal(unix('/var/run/docker.sock'));
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });
});
