import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { z } from 'zod';
import { GatewayError } from '../../src/errors.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createLogger } from '../../src/logger.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { ImageUnacceptable, type Registry } from '../../src/registry/registry.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { buildImage, buildIndex, pushImage, pushIndex, type BuiltImage, type BuiltIndex } from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';
import { AMD64 } from './registry.ts';
import { startProxy, type ProxyOptions, type RegistryProxy } from './registry-proxy.ts';

const NEVER = new AbortController().signal;
type Entry = z.input<typeof registriesSchema> extends (infer T)[] | undefined ? T : never;

describe('requests for a judgement', () => {
  let server: RegistryProcess;
  let single: BuiltImage;
  let index: BuiltIndex;
  let clock: FakeClock;
  const stops: (() => Promise<void>)[] = [];

  before(async () => {
    server = await startRegistry();
    const platform = { os: 'linux', architecture: 'amd64' };
    single = await buildImage({ platform });
    index = buildIndex([single, await buildImage({ platform: { os: 'linux', architecture: 'arm64' } })]);
    await pushImage(server.host, 'a/single', '1', single);
    await pushImage(server.host, 'b/single', '1', single);
    await pushIndex(server.host, 'a/index', '1', index);
  });
  after(() => server.stop());
  beforeEach(() => (clock = new FakeClock()));
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  async function proxied(options: ProxyOptions = {}): Promise<RegistryProxy> {
    const proxy = await startProxy(server.url, options);
    stops.push(proxy.stop);
    return proxy;
  }

  function registryAt(proxy: RegistryProxy, entry: Partial<Entry> = {}, options: z.input<typeof registryClientSchema> = {}): Registry {
    const registry = createRegistry(
      { registries: registriesSchema.parse([{ host: proxy.host, insecure: true, internal: true, ...entry }]), registryClient: registryClientSchema.parse(options) },
      clock,
      createLogger('silent'),
    );
    stops.unshift(() => registry.close());
    return registry;
  }

  const ask = (registry: Registry, proxy: RegistryProxy, rest: string) => registry.resolve(parseReference(`${proxy.host}/${rest}`), AMD64, NEVER);
  /** Requests that `work` causes. */
  async function during(proxy: RegistryProxy, work: () => Promise<unknown>): Promise<string[]> {
    proxy.requests.length = 0;
    await work();
    return [...proxy.requests];
  }

  describe('without authentication', () => {
    it('are 2 for a single manifest, cold', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.deep.equal([
        'GET /v2/a/single/manifests/1 -> 200',
        `GET /v2/a/single/blobs/${single.config.digest} -> 200`,
      ]);
    });

    it('are 2 for a single manifest by digest, and none when it is asked for again', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      const name = `a/single@${single.manifest.digest}`;
      expect(await during(proxy, () => ask(registry, proxy, name))).to.have.length(2);
      clock.advance(365 * 24 * 3600_000);
      expect(await during(proxy, () => ask(registry, proxy, name))).to.deep.equal([]);
    });

    it('are 3 through an index, cold', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      expect(await during(proxy, () => ask(registry, proxy, 'a/index:1'))).to.deep.equal([
        'GET /v2/a/index/manifests/1 -> 200',
        `GET /v2/a/index/manifests/${single.manifest.digest} -> 200`,
        `GET /v2/a/index/blobs/${single.config.digest} -> 200`,
      ]);
      expect(await during(proxy, () => ask(registry, proxy, `a/index@${index.index.digest}`))).to.deep.equal([]);
    });

    it('are none for a tag that was asked for a moment ago, and 1 conditional one later', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy, {}, { tagSeconds: 30 });
      await ask(registry, proxy, 'a/index:1');
      clock.advance(29_999);
      expect(await during(proxy, () => ask(registry, proxy, 'a/index:1'))).to.deep.equal([]);
      clock.advance(1);
      expect(await during(proxy, () => ask(registry, proxy, 'a/index:1'))).to.deep.equal(['HEAD /v2/a/index/manifests/1 -> 304']);
      expect(await during(proxy, () => ask(registry, proxy, 'a/index:1'))).to.deep.equal([]);
    });

    it('are 1 conditional one for the current digest of a tag', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      await ask(registry, proxy, 'a/single:1');
      const current = () => registry.currentDigest(parseReference(`${proxy.host}/a/single:1`), NEVER);
      expect(await during(proxy, current)).to.deep.equal(['HEAD /v2/a/single/manifests/1 -> 304']);
    });

    it('are no more for a hundred who ask at once', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      expect(await during(proxy, () => Promise.all(Array.from({ length: 100 }, () => ask(registry, proxy, 'a/index:1'))))).to.have.length(3);
    });

    it('go on for the others when one of them leaves', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      const leaving = new AbortController();
      const reference = parseReference(`${proxy.host}/a/single:1`);
      const left = registry.resolve(reference, AMD64, leaving.signal).catch((error: unknown) => error);
      const stayed = registry.resolve(reference, AMD64, NEVER);
      leaving.abort(new Error('left'));
      expect(await left).to.have.property('message', 'left');
      expect((await stayed).manifestDigest).to.equal(single.manifest.digest);
    });

    it('are 1 for what is not there, and none for a few seconds', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy, {}, { negativeSeconds: 5 });
      const missing = () => ask(registry, proxy, 'a/single:missing').catch((error: unknown) => expect(error).to.be.instanceOf(ImageUnacceptable));
      expect(await during(proxy, missing)).to.have.length(1);
      expect(await during(proxy, missing)).to.have.length(0);
      clock.advance(5_000);
      expect(await during(proxy, missing)).to.have.length(1);
    });

    it('are repeated for another repository, though the bytes are known', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy);
      await ask(registry, proxy, `a/single@${single.manifest.digest}`);
      expect(await during(proxy, () => ask(registry, proxy, `b/single@${single.manifest.digest}`))).to.have.length(2);
    });

    it('are for four types of document, and for none compressed', async () => {
      const seen: string[] = [];
      const proxy = await proxied({ instead: (request) => void seen.push(`${request.headers.accept} | ${request.headers['accept-encoding'] as string}`) });
      await ask(registryAt(proxy), proxy, 'a/single:1');
      expect(seen[0]).to.equal(
        'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json | identity',
      );
    });
  });

  describe('with a token service', () => {
    it('are 4, then 3 for another repository, then 2 while the token lives', async () => {
      const proxy = await proxied({ auth: 'bearer', expiresIn: 300 });
      const registry = registryAt(proxy);
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.deep.equal([
        'GET /v2/a/single/manifests/1 -> 401',
        'GET /token?service=here&scope=repository%3Aa%2Fsingle%3Apull -> 200',
        'GET /v2/a/single/manifests/1 -> 200',
        `GET /v2/a/single/blobs/${single.config.digest} -> 200`,
      ]);
      expect(await during(proxy, () => ask(registry, proxy, 'b/single:1'))).to.have.length(3);
      await pushImage(server.host, 'a/single', '2', await buildImage({ platform: { os: 'linux', architecture: 'amd64' }, config: { User: '5' } }));
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:2'))).to.have.length(2);
    });

    it('are 5 through an index', async () => {
      const proxy = await proxied({ auth: 'bearer' });
      const registry = registryAt(proxy);
      expect(await during(proxy, () => ask(registry, proxy, 'a/index:1'))).to.have.length(5);
    });

    it('ask for the scope of pulling this repository, whatever the challenge suggests', async () => {
      const proxy = await proxied({ auth: 'bearer' });
      await ask(registryAt(proxy), proxy, 'a/single:1');
      expect(proxy.scopes).to.deep.equal(['repository:a/single:pull']);
    });

    it('renew the token before it ends, without being refused first', async () => {
      const proxy = await proxied({ auth: 'bearer', expiresIn: 100 });
      const registry = registryAt(proxy, {}, { tagSeconds: 0 });
      await ask(registry, proxy, 'a/single:1');
      clock.advance(79_000);
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.deep.equal(['HEAD /v2/a/single/manifests/1 -> 304']);
      clock.advance(1_000);
      const renewed = await during(proxy, () => ask(registry, proxy, 'a/single:1'));
      expect(renewed.map((line) => line.replace(/\?.*->/, ' ->'))).to.deep.equal(['GET /token -> 200', 'HEAD /v2/a/single/manifests/1 -> 304']);
    });

    it('survive that a token is revoked', async () => {
      const proxy = await proxied({ auth: 'bearer', expiresIn: 3600 });
      const registry = registryAt(proxy, {}, { tagSeconds: 0 });
      await ask(registry, proxy, 'a/single:1');
      proxy.revoke();
      const after = await during(proxy, () => ask(registry, proxy, 'a/single:1'));
      expect(after.map((line) => line.replace(/\?.*->/, ' ->'))).to.deep.equal(['HEAD /v2/a/single/manifests/1 -> 401', 'GET /token -> 200', 'HEAD /v2/a/single/manifests/1 -> 304']);
    });

    it('fetch one token for many who ask at once', async () => {
      const proxy = await proxied({ auth: 'bearer' });
      const registry = registryAt(proxy);
      await Promise.all(Array.from({ length: 20 }, () => ask(registry, proxy, 'a/single:1')));
      expect(proxy.scopes).to.have.length(1);
    });

    it('send the password to the token service only', async () => {
      const proxy = await proxied({ auth: 'bearer-for-users' });
      await ask(registryAt(proxy, { credentials: { username: 'user', password: 'secret' } }), proxy, 'a/single:1');
      expect(proxy.authorizations).to.deep.equal([undefined, 'Bearer token-1', 'Bearer token-1']);
    });

    it('are an outage, not a verdict, when the credentials are wrong', async () => {
      const proxy = await proxied({ auth: 'bearer-for-users' });
      const attempt = ask(registryAt(proxy, { credentials: { username: 'user', password: 'wrong' } }), proxy, 'a/single:1');
      const error = await attempt.catch((failure: unknown) => failure);
      expect(error).to.be.instanceOf(GatewayError).with.property('code', 'RegistryUnavailable');
      expect((error as Error).message).to.not.contain('wrong');
    });

    it('are a verdict when nobody in particular may not read it', async () => {
      const proxy = await proxied({ auth: 'bearer-for-users' });
      const error = await ask(registryAt(proxy), proxy, 'a/single:1').catch((failure: unknown) => failure);
      expect(error).to.be.instanceOf(ImageUnacceptable).with.property('code', 'image.denied');
    });
  });

  describe('with Basic authentication', () => {
    it('are 3, then 2, and send the password only when asked', async () => {
      const proxy = await proxied({ auth: 'basic' });
      const registry = registryAt(proxy, { credentials: { username: 'user', password: 'secret' } });
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.have.length(3);
      expect(proxy.authorizations[0]).to.equal(undefined);
      expect(await during(proxy, () => ask(registry, proxy, 'b/single:1'))).to.have.length(2);
    });

    it('take the password from a file, or from what docker login wrote', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'pratique-credentials-'));
      stops.push(() => rm(directory, { recursive: true }));
      const proxy = await proxied({ auth: 'basic' });
      await writeFile(join(directory, 'password'), 'secret\n');
      await ask(registryAt(proxy, { credentials: { username: 'user', passwordFile: join(directory, 'password') } }), proxy, 'a/single:1');
      await writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [`https://${proxy.host}/v1/`]: { auth: Buffer.from('user:secret').toString('base64') } }, credsStore: 'evil' }));
      await ask(registryAt(proxy, {}, { dockerConfig: join(directory, 'config.json') }), proxy, 'a/single:1');
    });

    it('are a verdict when there is no password, and after one attempt with a wrong one', async () => {
      const proxy = await proxied({ auth: 'basic' });
      for (const [entry, requests] of [[{}, 1], [{ credentials: { username: 'user', password: 'wrong' } }, 2]] as const) {
        const made = await during(proxy, async () => {
          const error = await ask(registryAt(proxy, entry), proxy, 'a/single:1').catch((failure: unknown) => failure);
          expect(error).to.be.instanceOf(ImageUnacceptable).with.property('code', 'image.denied');
        });
        expect(made).to.have.length(requests);
      }
    });
  });

  describe('with a mirror', () => {
    it('ask the registry what a tag names, and the mirror for the bytes', async () => {
      const [proxy, mirror] = [await proxied(), await proxied()];
      const registry = registryAt(proxy, { mirror: { host: mirror.host, insecure: true, internal: true } });
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.deep.equal(['HEAD /v2/a/single/manifests/1 -> 200']);
      const ns = `?ns=${encodeURIComponent(proxy.host)}`;
      expect(mirror.requests).to.deep.equal([`GET /v2/a/single/manifests/${single.manifest.digest}${ns} -> 200`, `GET /v2/a/single/blobs/${single.config.digest}${ns} -> 200`]);
    });

    it('do without it when it fails or lies', async () => {
      for (const status of [200, 404, 500]) {
        const [proxy, mirror] = [await proxied(), await proxied({ instead: (_, response) => (response.writeHead(status, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end('{}'), status) })];
        const registry = registryAt(proxy, { mirror: { host: mirror.host, insecure: true, internal: true } });
        expect((await ask(registry, proxy, 'a/single:1')).manifestDigest).to.equal(single.manifest.digest);
        expect(mirror.requests).to.have.length(2);
      }
    });
  });

  describe('with a cache folder', () => {
    let directory = '';
    beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'pratique-cache-'))));
    afterEach(() => rm(directory, { recursive: true }));

    it('are none for a pinned image after a restart', async () => {
      const proxy = await proxied();
      const name = `a/index@${index.index.digest}`;
      await ask(registryAt(proxy, {}, { cacheDirectory: directory }), proxy, name);
      const restarted = registryAt(proxy, {}, { cacheDirectory: directory });
      expect(await during(proxy, () => ask(restarted, proxy, name))).to.deep.equal([]);
    });

    it('are made again for documents that were changed in the folder', async () => {
      const proxy = await proxied();
      const name = `a/single@${single.manifest.digest}`;
      await ask(registryAt(proxy, {}, { cacheDirectory: directory }), proxy, name);
      for (const file of await readdir(directory)) {
        const path = join(directory, file);
        await writeFile(path, (await readFile(path, 'utf8')).replace('"', "'"));
      }
      const restarted = registryAt(proxy, {}, { cacheDirectory: directory });
      expect(await during(proxy, () => ask(restarted, proxy, name))).to.have.length(2);
    });

    it('are made again under another account: nothing is handed on', async () => {
      const proxy = await proxied();
      const name = `a/single@${single.manifest.digest}`;
      await ask(registryAt(proxy, { credentials: { username: 'user', password: 'secret' } }, { cacheDirectory: directory }), proxy, name);
      const anonymous = registryAt(proxy, {}, { cacheDirectory: directory });
      expect(await during(proxy, () => ask(anonymous, proxy, name))).to.have.length(2);
    });

    it('are made where the folder cannot be used', async () => {
      const proxy = await proxied();
      const registry = registryAt(proxy, {}, { cacheDirectory: '/dev/null/nowhere' });
      expect(await during(proxy, () => ask(registry, proxy, 'a/single:1'))).to.have.length(2);
    });
  });
});
