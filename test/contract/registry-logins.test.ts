import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { z } from 'zod';
import { GatewayError } from '../../src/errors.ts';
import { parseReference } from '../../src/image/reference.ts';
import { RegistryLogins } from '../../src/image/registry-logins.ts';
import { createLogger } from '../../src/logger.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { ImageUnacceptable, type Registry } from '../../src/registry/registry.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { buildImage, type BuiltImage, pushImage } from '../support/oci-image.ts';
import { type RegistryProcess, startRegistry } from '../support/registry-process.ts';
import { AMD64 } from './registry.ts';
import { type ProxyOptions, type RegistryProxy, startProxy } from './registry-proxy.ts';

const NEVER = new AbortController().signal;

describe('logins of callers for a registry', () => {
  let server: RegistryProcess;
  let image: BuiltImage;
  const stops: (() => Promise<void>)[] = [];

  before(async () => {
    server = await startRegistry();
    image = await buildImage({ platform: { os: 'linux', architecture: 'amd64' } });
    await pushImage(server.host, 'a/private', '1', image);
  });
  after(() => server.stop());
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  async function site(auth: NonNullable<ProxyOptions['auth']>, entry: object, options: z.input<typeof registryClientSchema> = {}): Promise<{ proxy: RegistryProxy; registry: Registry; mirror: RegistryProxy }> {
    const proxy = await startProxy(server.url, { auth });
    const mirror = await startProxy(server.url);
    stops.push(proxy.stop, mirror.stop);
    const registry = createRegistry({ registries: registriesSchema.parse([{ host: proxy.host, insecure: true, internal: true, ...entry }]), registryClient: registryClientSchema.parse(options) }, new FakeClock(), createLogger('silent'));
    stops.unshift(() => registry.close());
    return { proxy, registry, mirror };
  }

  const read = (registry: Registry, { host }: RegistryProxy, name = 'a/private:1') => registry.resolve(parseReference(`${host}/${name}`), AMD64, NEVER);
  const as = (registry: Registry, { host }: RegistryProxy, password: string): Registry => registry.as(new RegistryLogins(new Map([[host, { username: 'user', password }]])));
  async function refusalOf(work: Promise<unknown>): Promise<string> {
    try {
      await work;
    } catch (error) {
      if (error instanceof ImageUnacceptable) return `${error.code}: ${error.message}`;
      if (error instanceof GatewayError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return 'none';
  }

  for (const auth of ['basic', 'bearer-for-users'] as const) {
    describe(`where it asks for ${auth}`, () => {
      it('read what the site may not, and what they have shown is for nobody else', async () => {
        const { proxy, registry } = await site(auth, { callerLogins: true });
        expect(await refusalOf(read(registry, proxy))).to.match(/^image\.denied: .*; with a login of your own: REGISTRY\.127\.0\.0\.1:\d+$/);
        const found = await read(as(registry, proxy, 'secret'), proxy);
        expect(found.manifestDigest).to.equal(image.manifest.digest);
        expect(await refusalOf(read(registry, proxy))).to.match(/^image\.denied/);
        expect(await refusalOf(read(registry, proxy, `a/private@${image.manifest.digest}`))).to.match(/^image\.denied/);
        expect(await refusalOf(read(as(registry, proxy, 'guess'), proxy))).to.match(/^image\.denied: .* does not let the login that was given read "a\/private"/);
        expect(await refusalOf(registry.signatures(found.reference, found.manifestDigest, NEVER))).to.match(/^image\.denied/);
        expect(await as(registry, proxy, 'secret').signatures(found.reference, found.manifestDigest, NEVER)).to.deep.equal([]);
      });
    });
  }

  it('that are wrong are the caller\'s no, where the site\'s own are an outage', async () => {
    const { proxy, registry } = await site('bearer-for-users', { callerLogins: true, credentials: { username: 'user', password: 'expired' } });
    expect(await refusalOf(read(registry, proxy))).to.match(/^RegistryUnavailable: .*credentials of this gateway/);
    expect(await refusalOf(read(as(registry, proxy, 'guess'), proxy))).to.match(/^image\.denied/);
    expect(await refusalOf(read(as(registry, proxy, 'secret'), proxy))).to.equal('none');
  });

  it('are refused before a packet leaves, unless the site takes them', async () => {
    const { proxy, registry } = await site('basic', {});
    expect(await refusalOf(read(as(registry, proxy, 'secret'), proxy))).to.match(/^registry\.login: /);
    const other = registry.as(new RegistryLogins(new Map([['elsewhere.example', { username: 'user', password: 'secret' }]])));
    expect(await refusalOf(other.resolve(parseReference('elsewhere.example/a:1'), AMD64, NEVER))).to.match(/^registry\.not-allowed/);
    expect(proxy.requests).to.deep.equal([]);
  });

  it('never reach a mirror, which does not ask who reads', async () => {
    const { proxy, mirror } = await site('basic', {});
    const mirrored = createRegistry({ registries: registriesSchema.parse([{ host: proxy.host, insecure: true, internal: true, callerLogins: true, mirror: { host: mirror.host, insecure: true, internal: true } }]) }, new FakeClock(), createLogger('silent'));
    stops.unshift(() => mirrored.close());
    expect(await refusalOf(read(as(mirrored, proxy, 'guess'), proxy, `a/private@${image.manifest.digest}`))).to.match(/^image\.denied/);
    expect(mirror.requests).to.deep.equal([]);
  });

  it('leave nothing in the folder of documents that outlive the process', async () => {
    const cacheDirectory = await mkdtemp(join(tmpdir(), 'pratique-logins-'));
    stops.push(() => rm(cacheDirectory, { recursive: true }));
    const { proxy, registry } = await site('basic', { callerLogins: true }, { cacheDirectory });
    await read(as(registry, proxy, 'secret'), proxy);
    expect(await refusalOf(read(registry, proxy, `a/private@${image.manifest.digest}`))).to.match(/^image\.denied/);
    expect(await readdir(cacheDirectory)).to.deep.equal([]);
  });

  it('are shown by nothing that prints or stores what holds them', () => {
    const logins = new RegistryLogins(new Map([['reg.example', { username: 'ada', password: 'hush' }]]));
    const holder = { task: { logins } };
    expect(JSON.stringify(holder)).to.not.include('hush');
    expect(Object.entries(logins)).to.deep.equal([]);
  });
});
