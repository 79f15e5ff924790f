import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { digestOf } from '../../../src/image/digest.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { createLogger } from '../../../src/logger.ts';
import { createRegistry } from '../../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../../src/registry/registry-config.ts';
import { UntrustedFetch, type UntrustedRequest, type UntrustedResponse } from '../../../src/untrusted-fetch.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A way out that goes nowhere: it writes down what was to be sent, and answers as a test says. */
class ScriptedFetch extends UntrustedFetch {
  readonly sent: UntrustedRequest[] = [];
  readonly #answer: (request: UntrustedRequest) => Partial<UntrustedResponse>;

  constructor(answer: (request: UntrustedRequest) => Partial<UntrustedResponse>) {
    super(new FakeClock());
    this.#answer = answer;
  }

  override async fetch(request: UntrustedRequest): Promise<UntrustedResponse> {
    this.sent.push(request);
    return { status: 200, headers: {}, bytes: Buffer.alloc(0), url: request.url, ...this.#answer(request) };
  }
}

const DIGEST = digestOf('x');

/** Answers a HEAD to whoever has the token `abc`; sends everybody else to `realm`. */
const guarded = (realm: string) => (request: UntrustedRequest): Partial<UntrustedResponse> => {
  if (request.url.startsWith(realm)) return { bytes: Buffer.from('{"token":"abc"}') };
  if (request.headers?.['authorization'] === 'Bearer abc') return { headers: { 'docker-content-digest': DIGEST } };
  return { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}",service="registry.docker.io",scope="repository:other/repository:push"` } };
};

function currentDigest(fetch: ScriptedFetch, reference: string, registries: unknown, client: unknown = {}): Promise<string> {
  const config = { registries: registriesSchema.parse(registries), registryClient: registryClientSchema.parse(client) };
  const registry = createRegistry(config, new FakeClock(), createLogger('silent'), fetch);
  return registry.currentDigest(parseReference(reference), new AbortController().signal);
}

const lines = (fetch: ScriptedFetch): string[] => fetch.sent.map(({ method = 'GET', url, headers }) => `${method} ${url} ${headers?.['authorization'] ?? '-'}`);

describe('the registry client as configured', () => {
  it('asks Docker Hub where its API is, with a token from where its tokens are', async () => {
    const fetch = new ScriptedFetch(guarded('https://auth.docker.io/token'));
    expect(await currentDigest(fetch, 'alpine', [{ host: 'docker.io', credentials: { username: 'u', password: 'p' } }])).to.equal(DIGEST);
    expect(lines(fetch)).to.deep.equal([
      'HEAD https://registry-1.docker.io/v2/library/alpine/manifests/latest -',
      'GET https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Falpine%3Apull Basic dTpw',
      'HEAD https://registry-1.docker.io/v2/library/alpine/manifests/latest Bearer abc',
    ]);
  });

  for (const realm of ['https://auth.docker.io.evil.example/token', 'http://auth.docker.io/token', 'https://auth.docker.io:8443/token', 'https://gitlab.com/jwt/auth']) {
    it(`does not take Docker Hub's tokens from ${realm}`, async () => {
      const fetch = new ScriptedFetch(guarded(realm));
      const error = await currentDigest(fetch, 'alpine', [{ host: 'docker.io' }]).catch((failure: unknown) => failure);
      expect(error).to.have.property('code', 'RegistryInvalid');
      expect(fetch.sent).to.have.length(1);
    });
  }

  it('finds what docker login wrote for Docker Hub, and changes an identity token for an access token', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pratique-login-'));
    const dockerConfig = join(directory, 'config.json');
    try {
      const fetch = new ScriptedFetch(guarded('https://auth.docker.io/token'));
      await writeFile(dockerConfig, JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth: 'dTo=', identitytoken: 'refresh me' } } }));
      await currentDigest(fetch, 'a/b', [{ host: 'docker.io' }], { dockerConfig });
      const [, token] = fetch.sent;
      expect([token?.method, token?.url, token?.headers?.['authorization']]).to.deep.equal(['POST', 'https://auth.docker.io/token', undefined]);
      expect(Object.fromEntries(new URLSearchParams(token?.body))).to.deep.equal({
        grant_type: 'refresh_token', client_id: 'pratique', refresh_token: 'refresh me', scope: 'repository:a/b:pull', service: 'registry.docker.io',
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('uses a registry token as it is', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pratique-login-'));
    const dockerConfig = join(directory, 'config.json');
    try {
      const fetch = new ScriptedFetch(guarded('https://ghcr.io/token'));
      await writeFile(dockerConfig, JSON.stringify({ auths: { 'ghcr.io': { registrytoken: 'abc' } } }));
      await currentDigest(fetch, 'ghcr.io/a/b', [{ host: 'ghcr.io' }], { dockerConfig });
      expect(lines(fetch)).to.deep.equal(['HEAD https://ghcr.io/v2/a/b/manifests/latest -', 'HEAD https://ghcr.io/v2/a/b/manifests/latest Bearer abc']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  /** host as configured, the URL that is asked, its host as URLs have it */
  const hosts: readonly (readonly [string, boolean, string, string])[] = [
    ['ghcr.io', false, 'https://ghcr.io/', 'ghcr.io'],
    ['ghcr.io:443', false, 'https://ghcr.io/', 'ghcr.io'],
    ['localhost:5000', true, 'http://localhost:5000/', 'localhost:5000'],
    ['cache:443', false, 'https://cache/', 'cache'],
    ['cache.example.org:80', true, 'http://cache.example.org/', 'cache.example.org'],
    ['docker.io:5000', false, 'https://docker.io:5000/', 'docker.io:5000'],
  ];
  for (const [host, insecure, url, name] of hosts) {
    it(`asks ${host}${insecure ? ', insecure,' : ''} at ${url}, with its own settings`, async () => {
      const fetch = new ScriptedFetch(() => ({ headers: { 'docker-content-digest': DIGEST } }));
      await currentDigest(fetch, `${host}/a/b`, [{ host, insecure, internal: true }]);
      expect(fetch.sent[0]?.url).to.equal(`${url}v2/a/b/manifests/latest`);
      expect(fetch.sent[0]?.settings?.(name)).to.deep.equal({ insecure, internal: true });
      expect(fetch.sent[0]?.settings?.('elsewhere.example.org')).to.equal(undefined);
    });
  }

  it('gives each registry the settings of its own hosts only', async () => {
    const fetch = new ScriptedFetch(() => ({ headers: { 'docker-content-digest': DIGEST } }));
    await currentDigest(fetch, 'one.example.org/a', [
      { host: 'one.example.org', redirects: ['storage.example.org'], realms: ['auth.example.org'] },
      { host: 'two.example.org', internal: true, insecure: true },
    ]);
    const settings = fetch.sent[0]?.settings;
    expect(['one.example.org', 'storage.example.org', 'auth.example.org', 'two.example.org'].map((host) => settings?.(host)?.internal)).to.deep.equal([false, false, false, undefined]);
  });

  it('says which file of certificates cannot be read', () => {
    const config = { registries: registriesSchema.parse([{ host: 'ghcr.io', ca: '/nowhere/ca.pem' }]) };
    expect(() => createRegistry(config, new FakeClock(), createLogger('silent'))).to.throw('/nowhere/ca.pem');
  });
});
