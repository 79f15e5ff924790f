import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { z } from 'zod';
import { GatewayError } from '../../src/errors.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { Image } from '../../src/image/image.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createLogger } from '../../src/logger.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { ImageUnacceptable } from '../../src/registry/registry.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { buildImage, buildIndex, MEDIA_TYPES, type BuiltImage, type OciDocument } from '../support/oci-image.ts';
import { AMD64 } from './registry.ts';

type Entry = z.input<typeof registriesSchema> extends (infer T)[] | undefined ? T : never;
/** Answers a request and says true, or leaves it to the honest answer. */
type Lie = (request: IncomingMessage, response: ServerResponse) => boolean;

const DEADLINE = 30_000;
const { oci } = MEDIA_TYPES;

describe('a registry that lies', () => {
  let image: BuiltImage;
  let clock: FakeClock;
  const stops: (() => unknown)[] = [];
  before(async () => (image = await buildImage({ platform: { os: 'linux', architecture: 'amd64' }, base: 'scratch', files: { '/a': 'a' } })));
  beforeEach(() => (clock = new FakeClock()));
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  /** A server that tells the truth about one image, except where it lies. */
  async function serve(lie: Lie, documents: readonly OciDocument[] = [image.manifest, image.config]): Promise<{ host: string; paths: string[] }> {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      if (lie(request, response)) return;
      const name = request.url?.split('/').at(-1) ?? '';
      const document = documents.find(({ digest }) => digest === name) ?? (name === '1' ? documents[0] : undefined);
      if (document === undefined) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': document.mediaType, 'docker-content-digest': document.digest }).end(document.bytes);
    });
    stops.push(() => (server.closeAllConnections(), server.close()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
  }

  function registryAt(host: string, entry: Partial<Entry> = {}) {
    const registry = createRegistry(
      { registries: registriesSchema.parse([{ host, insecure: true, internal: true, ...entry }]), registryClient: registryClientSchema.parse({ deadlineSeconds: DEADLINE / 1000 }) },
      clock,
      createLogger('silent'),
    );
    stops.unshift(() => registry.close());
    return registry;
  }

  const resolve = (host: string, rest: string, entry: Partial<Entry> = {}): Promise<Image> =>
    registryAt(host, entry).resolve(parseReference(`${host}/${rest}`), AMD64, new AbortController().signal);

  async function errorOf(attempt: Promise<unknown>): Promise<GatewayError | ImageUnacceptable> {
    const error = await attempt.then(() => new Error('it was accepted'), (failure: unknown) => failure);
    if (error instanceof GatewayError || error instanceof ImageUnacceptable) return error;
    throw error;
  }

  const manifestOnly = (lie: (response: ServerResponse) => unknown): Lie => (request, response) => request.url?.includes('/manifests/') === true && (lie(response), true);
  const blobOnly = (lie: (response: ServerResponse) => unknown): Lie => (request, response) => request.url?.includes('/blobs/') === true && (lie(response), true);
  const say = (status: number, headers: Record<string, string>, body: string | Buffer = '') => (response: ServerResponse) => response.writeHead(status, headers).end(body);
  const asManifest = { 'content-type': oci.manifest };
  const pour = (response: ServerResponse): void => {
    response.writeHead(200, asManifest);
    const more = (): void => {
      while (response.write(' '.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  };

  it('is believed where it does not', async () => {
    const { host } = await serve(() => false);
    expect((await resolve(host, 'a:1')).manifestDigest).to.equal(image.manifest.digest);
  });

  describe('ends in a named error, and accepts nothing', () => {
    const other = Buffer.from('{"schemaVersion":2}');
    /** title, lie, reference (D = the manifest's digest), code */
    const table: readonly (readonly [string, () => Lie, string, string])[] = [
      ['other bytes than the digest\'s', () => manifestOnly(say(200, asManifest, other)), 'a@D', 'RegistryInvalid'],
      ['other bytes, and the digest in the header', () => manifestOnly(say(200, { ...asManifest, 'docker-content-digest': image.manifest.digest }, other)), 'a@D', 'RegistryInvalid'],
      ['another digest in the header of a tag', () => manifestOnly(say(200, { ...asManifest, 'docker-content-digest': digestOf('other') }, image.manifest.bytes)), 'a:1', 'RegistryInvalid'],
      ['one byte too few', () => manifestOnly(say(200, asManifest, image.manifest.bytes.subarray(1))), 'a@D', 'RegistryInvalid'],
      ['one byte too many', () => manifestOnly(say(200, asManifest, Buffer.concat([image.manifest.bytes, Buffer.from(' ')]))), 'a@D', 'RegistryInvalid'],
      ['a body cut off', () => manifestOnly((response) => response.writeHead(200, { ...asManifest, 'content-length': '5000' }).write('x', () => response.destroy())), 'a:1', 'RegistryUnavailable'],
      ['a body without end', () => manifestOnly(pour), 'a:1', 'RegistryInvalid'],
      ['a huge body announced', () => manifestOnly(say(200, { ...asManifest, 'content-length': String(2 ** 23) }, Buffer.alloc(2 ** 23))), 'a:1', 'RegistryInvalid'],
      ['a gzip bomb', () => manifestOnly(say(200, { ...asManifest, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(2 ** 24)))), 'a:1', 'RegistryInvalid'],
      ['honest bytes, compressed', () => manifestOnly(say(200, { ...asManifest, 'content-encoding': 'gzip' }, gzipSync(image.manifest.bytes))), 'a:1', 'RegistryInvalid'],
      ['a web page', () => manifestOnly(say(200, { 'content-type': 'text/html' }, '<html>')), 'a:1', 'RegistryInvalid'],
      ['no type', () => manifestOnly(say(200, {}, image.manifest.bytes)), 'a:1', 'RegistryInvalid'],
      ['another type', () => manifestOnly(say(200, { 'content-type': oci.index }, image.manifest.bytes)), 'a:1', 'image.media-type'],
      ['schema 1', () => manifestOnly(say(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }, '{"schemaVersion":1}')), 'a:1', 'image.schema1'],
      ['not modified, though it was not asked', () => manifestOnly(say(304, {})), 'a:1', 'RegistryInvalid'],
      ['no content', () => manifestOnly(say(204, {})), 'a:1', 'RegistryInvalid'],
      ['a teapot', () => manifestOnly(say(418, {})), 'a:1', 'RegistryInvalid'],
      ['a broken server', () => manifestOnly(say(500, {})), 'a:1', 'RegistryUnavailable'],
      ['a connection closed at once', () => manifestOnly((response) => response.destroy()), 'a:1', 'RegistryUnavailable'],
      ['a redirect to cloud metadata', () => manifestOnly(say(307, { location: 'http://169.254.169.254/latest/meta-data/' })), 'a:1', 'RegistryInvalid'],
      ['a redirect of the configuration to cloud metadata', () => blobOnly(say(307, { location: 'http://169.254.169.254/latest/meta-data/' })), 'a:1', 'RegistryInvalid'],
      ['a redirect to a file', () => blobOnly(say(307, { location: 'file:///etc/passwd' })), 'a:1', 'RegistryInvalid'],
      ['redirects in a circle', () => blobOnly(say(307, { location: '/v2/a/blobs/again' })), 'a:1', 'RegistryInvalid'],
      ['a redirect that leads nowhere', () => blobOnly(say(307, {})), 'a:1', 'RegistryInvalid'],
      ['another configuration', () => blobOnly(say(200, {}, '{}')), 'a:1', 'RegistryInvalid'],
      ['a configuration without end', () => blobOnly(pour), 'a:1', 'RegistryInvalid'],
      ['no configuration', () => blobOnly(say(404, {})), 'a:1', 'image.not-found'],
      ['a challenge that cannot be read', () => (_, response) => (say(401, { 'www-authenticate': '"' })(response), true), 'a:1', 'image.denied'],
      ['no challenge', () => (_, response) => (say(401, {})(response), true), 'a:1', 'image.denied'],
      ['a scheme of its own', () => (_, response) => (say(401, { 'www-authenticate': 'Negotiate' })(response), true), 'a:1', 'image.denied'],
      ['a refusal', () => (_, response) => (say(403, {})(response), true), 'a:1', 'image.denied'],
    ];
    for (const [title, lie, name, code] of table) {
      it(`${title}: ${code}`, async () => {
        const { host } = await serve(lie());
        const error = await errorOf(resolve(host, name.replace('D', image.manifest.digest)));
        expect(error.code, error.message).to.equal(code);
      });
    }
  });

  describe('does not hold anybody longer than the deadline', () => {
    const silent: Lie = manifestOnly(() => undefined);
    const trickle: Lie = manifestOnly((response) => response.writeHead(200, asManifest).write('{'));
    for (const [title, lie] of [['silent', silent], ['trickling', trickle]] as const) {
      it(`when it is ${title}`, async () => {
        let asked: () => void = () => undefined;
        const request = new Promise<void>((resolve) => (asked = resolve));
        const { host } = await serve((incoming, response) => (asked(), lie(incoming, response)));
        const end = clock.now() + DEADLINE;
        const outcome = errorOf(resolve(host, 'a:1'));
        await request;
        clock.advance(end - clock.now());
        const error = await outcome;
        expect(error.code).to.equal('RegistryUnavailable');
        expect(error.message).to.contain('within 30 s');
      });
    }

    it('over all requests together', async () => {
      const index = buildIndex([image]);
      let asked: () => void = () => undefined;
      const blob = new Promise<void>((resolve) => (asked = resolve));
      const { host } = await serve((request) => {
        if (request.url?.includes('/blobs/')) return asked(), true;
        clock.advance(DEADLINE / 3);
        return false;
      }, [index.index, image.manifest]);
      const outcome = errorOf(resolve(host, 'a:1'));
      await blob;
      clock.advance(DEADLINE / 3);
      expect((await outcome).code).to.equal('RegistryUnavailable');
    });
  });

  describe('wants its tokens from elsewhere', () => {
    for (const realm of ['http://169.254.169.254/token', 'https://evil.example/token', 'http://127.0.0.1:1/token', 'https://user:password@HOST/token', 'file:///etc/passwd', 'nonsense', 'http://HOST.evil.example/token', 'http://HOST@evil.example/token', 'ftp://HOST/token']) {
      it(`${realm}: it is not asked`, async () => {
        const { host, paths } = await serve((request, response) => (say(401, { 'www-authenticate': `Bearer realm="${realm.replace('HOST', request.headers.host ?? '')}"` })(response), true));
        const error = await errorOf(resolve(host, 'a:1', { credentials: { username: 'user', password: 'secret' } }));
        expect(error.code).to.equal('RegistryInvalid');
        expect(error.message).to.not.contain('secret');
        expect(paths).to.deep.equal(['/v2/a/manifests/1']);
      });
    }

    it('which it may where that is configured', async () => {
      const { host: tokens, paths } = await serve((_, response) => (say(200, {}, '{"access_token":"abc"}')(response), true));
      const { host } = await serve((request, response) => {
        if (request.headers.authorization === 'Bearer abc') return false;
        say(401, { 'www-authenticate': `Basic realm="x", Bearer realm="http://${tokens}/token?a=b",service="s"` })(response);
        return true;
      });
      await resolve(host, 'a:1', { realms: [tokens] });
      expect(paths).to.deep.equal(['/token?a=b&service=s&scope=repository%3Aa%3Apull']);
    });
  });

  describe('has a token service that gives nonsense', () => {
    const answers: readonly (readonly [string, (response: ServerResponse) => unknown, string])[] = [
      ['a web page', say(200, {}, '<html>'), 'RegistryInvalid'],
      ['nothing', say(200, {}, '{}'), 'RegistryInvalid'],
      ['null', say(200, {}, 'null'), 'RegistryInvalid'],
      ['an empty token', say(200, {}, '{"token":""}'), 'RegistryInvalid'],
      ['a token that is a number', say(200, {}, '{"token":1}'), 'RegistryInvalid'],
      ['a token of two lines', say(200, {}, '{"token":"a\\r\\nX-Evil: b"}'), 'RegistryInvalid'],
      ['a token too long for a header', say(200, {}, JSON.stringify({ token: 'x'.repeat(20_000) })), 'RegistryInvalid'],
      ['a token without end', pour, 'RegistryInvalid'],
      ['a redirect to cloud metadata', say(307, { location: 'http://169.254.169.254/' }), 'RegistryInvalid'],
      ['a refusal', say(403, {}), 'image.denied'],
      ['an outage', say(502, {}), 'RegistryUnavailable'],
      ['a token that is not taken', say(200, {}, '{"token":"no"}'), 'image.denied'],
    ];
    for (const [title, answer, code] of answers) {
      it(`${title}: ${code}`, async () => {
        const { host, paths } = await serve((request, response) => {
          if (request.url?.startsWith('/token')) answer(response);
          else say(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` })(response);
          return true;
        });
        expect((await errorOf(resolve(host, 'a:1'))).code).to.equal(code);
        expect(paths.length).to.be.at.most(3);
      });
    }
  });

  describe('has had enough', () => {
    for (const [status, header, seconds] of [[429, '120', '120'], [503, '7', '7'], [429, 'DATE', '60'], [429, '999999999', '86400']] as const) {
      it(`${status} with Retry-After ${header}: a temporary failure that says when, and it is left alone until then`, async () => {
        const value = header === 'DATE' ? new Date(clock.now() + 60_000).toUTCString() : header;
        const { host, paths } = await serve((_, response) => (say(status, { 'retry-after': value })(response), true));
        const registry = registryAt(host);
        const ask = (): Promise<unknown> => registry.resolve(parseReference(`${host}/a:1`), AMD64, new AbortController().signal);
        const error = await errorOf(ask());
        expect(error).to.be.instanceOf(GatewayError);
        expect([error.code, (error as GatewayError).headers['Retry-After']]).to.deep.equal(['RegistryUnavailable', seconds]);
        clock.advance(5_000);
        expect((await errorOf(ask())).code).to.equal('RegistryUnavailable');
        expect(paths).to.have.length(1);
        clock.advance(Math.min(Number(seconds), 300) * 1000);
        await errorOf(ask());
        expect(paths).to.have.length(2);
      });
    }

    it('429 without more: a temporary failure', async () => {
      const { host } = await serve((_, response) => (say(429, { 'retry-after': 'soon' })(response), true));
      const error = await errorOf(resolve(host, 'a:1'));
      expect([error.code, (error as GatewayError).headers]).to.deep.equal(['RegistryUnavailable', {}]);
    });
  });

  describe('leaks nothing', () => {
    it('of credentials to where it redirects', async () => {
      const seen: (string | undefined)[] = [];
      const { host: storage } = await serve((request, response) => {
        seen.push(request.headers.authorization);
        response.end(image.config.bytes);
        return true;
      });
      const { host } = await serve((request, response) => {
        if (request.headers.authorization === undefined) return say(401, { 'www-authenticate': 'Basic realm="x"' })(response), true;
        if (request.url?.includes('/blobs/')) return say(307, { location: `http://${storage}/config` })(response), true;
        return false;
      });
      await resolve(host, 'a:1', { credentials: { username: 'user', password: 'secret' }, redirects: [storage] });
      expect(seen).to.deep.equal([undefined]);
    });

    it('of credentials to a host that it redirects to and that asks for them', async () => {
      const seen: (string | undefined)[] = [];
      const { host: storage } = await serve((request, response) => {
        seen.push(request.headers.authorization);
        return say(401, { 'www-authenticate': 'Basic realm="x"' })(response), true;
      });
      const { host } = await serve(blobOnly(say(307, { location: `http://${storage}/config` })));
      const error = await errorOf(resolve(host, 'a:1', { credentials: { username: 'user', password: 'secret' }, redirects: [storage] }));
      expect(error.code).to.equal('RegistryInvalid');
      expect(seen).to.deep.equal([undefined]);
    });

    it('of an intranet that it redirects to', async () => {
      const { host: intranet, paths } = await serve((_, response) => (response.end('secret'), true));
      const { host } = await serve(blobOnly(say(307, { location: `http://${intranet}/` })));
      expect((await errorOf(resolve(host, 'a:1'))).code).to.equal('RegistryInvalid');
      expect(paths).to.deep.equal([]);
    });

    it('of its own words', async () => {
      const body = '{"errors":[{"code":"DENIED","message":"<script>\u001b[31m"}]}';
      for (const status of [401, 403, 404, 418, 429, 500]) {
        const { host } = await serve((_, response) => (say(status, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="<script>"' }, body)(response), true));
        expect((await errorOf(resolve(host, 'a:1'))).message).to.match(/^[\x20-\x7e]*$/).and.not.contain('script');
      }
    });
  });

  it('about further pages of referrers: one elsewhere is not asked for', async () => {
    const { host: elsewhere, paths } = await serve(() => false);
    const index = JSON.stringify({ schemaVersion: 2, mediaType: oci.index, manifests: [] });
    let pages = 0;
    const { host } = await serve((request, response) => {
      if (!request.url?.includes('/referrers/')) return false;
      pages += 1;
      const next = pages === 1 ? `<${request.url}?page=2>` : pages === 2 ? `<http://${elsewhere}/v2/>` : '';
      return say(200, { 'content-type': oci.index, link: `${next}; rel="next"` }, index)(response), true;
    });
    expect(await registryAt(host).signatures(parseReference(`${host}/a:1`), image.manifest.digest, new AbortController().signal)).to.deep.equal([]);
    expect([pages, paths]).to.deep.equal([2, []]);
  });

  it('about further pages of referrers: they end', async () => {
    let pages = 0;
    const { host } = await serve((request, response) => {
      if (!request.url?.includes('/referrers/')) return false;
      pages += 1;
      return say(200, { 'content-type': oci.index, link: `<${request.url}>; rel="next"` }, JSON.stringify({ schemaVersion: 2, mediaType: oci.index, manifests: [] }))(response), true;
    });
    await registryAt(host).signatures(parseReference(`${host}/a:1`), image.manifest.digest, new AbortController().signal);
    expect(pages).to.equal(3);
  });
});
