import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { GatewayError } from '../../src/errors.ts';
import type { Digest } from '../../src/image/digest.ts';
import { createLogger } from '../../src/logger.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema, registryClientSchema } from '../../src/registry/registry-config.ts';
import { signingKey, sigstoreBundle, simpleSigningPayload } from '../support/cosign.ts';
import {
  buildImage, buildIndex, descriptorOf, jsonDocument, layerOf, layerOfTar, MEDIA_TYPES, pushBlob, pushImage, pushIndex, pushManifest, rawDocument, type BuiltImage,
} from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';
import { JudgedSite } from '../support/site-policy.ts';

const run = promisify(execFile);
/** The platform of JudgedSite, so that the tests judge alike on every machine; nothing here is run. */
const platform = { os: 'linux', architecture: 'amd64' };

describe('the judge before a real registry', () => {
  let process: RegistryProcess;
  let registry: ReturnType<typeof createRegistry>;
  let site: JudgedSite;
  let host: string;
  let directory: string;
  let base: BuiltImage;
  const bundleKey = signingKey();

  before(async () => {
    process = await startRegistry();
    host = process.host;
    directory = await mkdtemp(join(tmpdir(), 'pratique-cosign-'));
    await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(directory, 'key.pem')]);
    await run('openssl', ['ec', '-in', join(directory, 'key.pem'), '-pubout', '-out', join(directory, 'key.pub')]);
    base = await buildImage({ platform, config: { Env: ['PATH=/bin'] } });
    await pushImage(host, 'base/busybox', '1', base);
  });
  after(async () => {
    await process.stop();
    await rm(directory, { recursive: true });
  });

  beforeEach(async () => {
    site = new JudgedSite();
    const registries = registriesSchema.parse([{ host, insecure: true, internal: true }]);
    registry = createRegistry({ registries, registryClient: registryClientSchema.parse({ tagSeconds: 0 }) }, site.clock, createLogger('silent'));
    await site.start(await policy(), registry);
  });
  afterEach(async () => {
    await site.policy.catalogue.close();
    await registry.close();
  });

  async function policy(): Promise<string> {
    const pem = await readFile(join(directory, 'key.pub'), 'utf8');
    return `
bases: [{name: busybox, image: "${host}/base/busybox:1"}]
keys:
  - {name: openssl, repositories: ["${host}/signed/**"], publicKey: ${JSON.stringify(pem)}}
  - {name: bundle, repositories: ["${host}/signed/**"], publicKey: ${JSON.stringify(bundleKey.pem)}}
rules:
  - {name: derived, images: ["${host}/demo/**"], base: [busybox]}
  - {name: signed, images: ["${host}/signed/**"], signature: {mode: require, keys: [openssl, bundle]}}
`;
  }

  const put = async (repository: string, image: BuiltImage, tag = '1'): Promise<string> => {
    await pushImage(host, repository, tag, image);
    return `${host}/${repository}:${tag}`;
  };
  const file = { '/hello': 'hello' };

  describe('of an image built on an approved base', () => {
    it('says yes, and names the base', async () => {
      const derived = await buildImage({ base, files: file });
      const verdict = await site.judge(await put('demo/derived', derived));
      expect(verdict.accepted && verdict.task.image.manifestDigest).to.equal(derived.manifest.digest);
      expect(verdict.decision.base).to.deep.include({ name: 'busybox', digest: base.manifest.digest });
    });

    it('says yes to the base itself', async () => expect(await site.answer(await put('demo/base', base))).to.equal('yes'));

    it('says yes when its layers were compressed anew', async () => {
      const again = base.layers.map(({ bytes }) => layerOfTar(gunzipSync(bytes), 1));
      expect(again[0]?.digest).not.to.equal(base.layers[0]?.digest);
      const image = await buildImage({ base: 'scratch', platform, layers: [...again, await layerOf(file)], config: base.settings });
      expect(await site.answer(await put('demo/recompressed', image))).to.equal('yes');
    });

    it('says yes in the other format, and through an index', async () => {
      expect(await site.answer(await put('demo/docker', await buildImage({ base, files: file, format: 'docker' })))).to.equal('yes');
      const elsewhere = await buildImage({ platform: { os: 'linux', architecture: 's390x' } });
      await pushIndex(host, 'demo/index', '1', buildIndex([elsewhere, await buildImage({ base, files: file })]));
      expect(await site.answer(`${host}/demo/index:1`)).to.equal('yes');
    });

    it('says yes when the base was retagged since, once the old one was seen', async () => {
      await pushImage(host, 'base/busybox', '1', base);
      await site.policy.catalogue.refresh();
      const rebuilt = await buildImage({ platform, files: { '/etc/version': '2' }, config: { Env: ['PATH=/bin'] } });
      const onNew = await put('demo/on-new', await buildImage({ base: rebuilt, files: file }));
      await pushImage(host, 'base/busybox', '1', await buildImage({ base: 'scratch', platform, layers: [await layerOf({ '/bin/other': 'x' })] }));
      await site.policy.catalogue.refresh();
      try {
        expect(await site.answer(await put('demo/on-old', await buildImage({ base, files: file })))).to.equal('yes');
        // Built on the old one too, which it has for its first layers.
        expect(await site.answer(onNew)).to.equal('yes');
        expect(site.policy.catalogue.sightingsOf(site.policy.policy.bases[0]!)).to.have.length(2);
      } finally {
        await pushImage(host, 'base/busybox', '1', base);
      }
    });
  });

  describe('of an image that only seems to be', () => {
    it('says no to a look-alike with the same files in another archive', async () => {
      const lookalike = await buildImage({ base: 'scratch', platform, layers: [await layerOf({ '/bin/busybox': 'not busybox' }), await layerOf(file)], config: base.settings });
      expect(await site.answer(await put('demo/lookalike', lookalike))).to.equal('image.base');
    });

    it('says no to a squashed one', async () => {
      const tars = [...base.layers, await layerOf(file)].map(({ bytes }) => gunzipSync(bytes));
      // Two archives in one, without the end mark of the first: what export and import make of it.
      const squashed = layerOfTar(Buffer.concat([tars[0]!.subarray(0, -1024), tars[1]!]));
      expect(await site.answer(await put('demo/squashed', await buildImage({ base: 'scratch', platform, layers: [squashed], config: base.settings })))).to.equal('image.base');
    });

    it('says no to one with the base on top', async () => {
      const upside = await buildImage({ base: 'scratch', platform, layers: [await layerOf(file), ...base.layers], config: base.settings });
      expect(await site.answer(await put('demo/upside-down', upside))).to.equal('image.base');
    });

    it('says no to one that claims its base in labels and annotations', async () => {
      const claims = { 'org.opencontainers.image.base.name': `${host}/base/busybox:1`, 'org.opencontainers.image.base.digest': base.manifest.digest };
      const liar = await buildImage({ base: 'scratch', platform, layers: [await layerOf(file)], annotations: claims, config: { ...base.settings, Labels: claims } });
      expect(await site.answer(await put('demo/liar', liar))).to.equal('image.base');
    });

    it('says no when a layer changes the base and its loader', async () => {
      const evil = await buildImage({ base, files: { '/bin/cat': 'evil' }, config: { Env: ['PATH=/bin', 'LD_PRELOAD=/evil.so'], Volumes: { '/v': {} } } });
      expect(await site.answer(await put('demo/evil', evil))).to.equal('image.environment image.volumes');
    });
  });

  describe('of signatures', () => {
    /** Signed by OpenSSL's program over a payload that we write: independent of node:crypto and of the code under test. */
    async function signWithOpenssl(repository: string, digest: Digest, of: Digest = digest): Promise<void> {
      const payload = simpleSigningPayload(of);
      await writeFile(join(directory, 'payload'), payload);
      await run('openssl', ['dgst', '-sha256', '-sign', join(directory, 'key.pem'), '-out', join(directory, 'signature'), join(directory, 'payload')]);
      const signature = (await readFile(join(directory, 'signature'))).toString('base64');
      const layer = { ...descriptorOf(rawDocument(payload, 'application/vnd.dev.cosign.simplesigning.v1+json')), annotations: { 'dev.cosignproject.cosign/signature': signature } };
      await pushBlob(host, repository, payload);
      await pushManifest(host, repository, `${digest.replace(':', '-')}.sig`, await manifestAround(repository, MEDIA_TYPES.oci.config, [layer]));
    }

    /** A bundle as cosign 3 attaches it where a registry has no referrers API: an index under the tag sha256-<hex>. */
    async function attachBundle(repository: string, digest: Digest, of: Digest = digest): Promise<void> {
      const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
      const document = sigstoreBundle(bundleKey, of);
      const bundle = rawDocument(Buffer.from(document.kind === 'bundle' ? document.bundle : ''), type);
      await pushBlob(host, repository, bundle.bytes);
      const subject = { mediaType: MEDIA_TYPES.oci.manifest, digest, size: 1 };
      const manifest = await manifestAround(repository, 'application/vnd.oci.empty.v1+json', [descriptorOf(bundle)], { artifactType: type, subject });
      await pushManifest(host, repository, manifest.digest, manifest);
      const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: [{ ...descriptorOf(manifest), artifactType: type }] };
      await pushManifest(host, repository, digest.replace(':', '-'), jsonDocument(index, MEDIA_TYPES.oci.index));
    }

    async function manifestAround(repository: string, configType: string, layers: readonly object[], more: object = {}): Promise<ReturnType<typeof jsonDocument>> {
      const config = rawDocument('{}', configType);
      await pushBlob(host, repository, config.bytes);
      const type = MEDIA_TYPES.oci.manifest;
      return jsonDocument({ schemaVersion: 2, mediaType: type, config: descriptorOf(config), layers, ...more }, type);
    }

    for (const [what, attach] of [['a simple signature made by OpenSSL', signWithOpenssl], ['a bundle', attachBundle]] as const) {
      it(`says yes to an image with ${what}, and no to one with another's`, async () => {
        const repository = `signed/${attach.name.toLowerCase()}`;
        const [signed, other] = [await buildImage({ platform, files: { '/a': 'signed' } }), await buildImage({ platform, files: { '/a': 'other' } })];
        await put(repository, signed, 'signed');
        await put(repository, other, 'other');
        expect(await site.answer(`${host}/${repository}:signed`)).to.equal('image.signature');
        await attach(repository, signed.manifest.digest);
        await attach(repository, other.manifest.digest, signed.manifest.digest);
        site.clock.advance(31_000);
        expect(await site.answer(`${host}/${repository}:signed`)).to.equal('yes');
        expect(await site.answer(`${host}/${repository}:other`)).to.equal('image.signature');
      });
    }

    it('says yes to an image whose index is signed, also when it is asked for by the digest of that index', async () => {
      const built = buildIndex([await buildImage({ platform, files: { '/a': 'indexed' } })]);
      const digest = await pushIndex(host, 'signed/index', '1', built);
      await signWithOpenssl('signed/index', digest);
      expect(await site.answer(`${host}/signed/index:1`)).to.equal('yes');
      expect(await site.answer(`${host}/signed/index:1@${digest}`)).to.equal('yes');
    });
  });

  it('gives no verdict when the registry is away, except on a digest that it has read before', async () => {
    const other = await startRegistry();
    const image = await buildImage({ platform, files: file });
    await pushImage(other.host, 'demo/x', '1', image);
    const registries = registriesSchema.parse([{ host: other.host, insecure: true, internal: true }]);
    const own = createRegistry({ registries, registryClient: registryClientSchema.parse({ tagSeconds: 0 }) }, site.clock, createLogger('silent'));
    try {
      await site.start(`rules: [{name: r, images: ["${other.host}/demo/**"]}]`, own);
      expect(await site.answer(`${other.host}/demo/x:1`)).to.equal('yes');
      await other.stop();
      const error = await site.answer(`${other.host}/demo/x:1`).then(() => undefined, (reason: unknown) => reason);
      expect(error instanceof GatewayError && error.code).to.equal('RegistryUnavailable');
      expect(await site.answer(`${other.host}/demo/x:1@${image.manifest.digest}`)).to.equal('yes');
      expect(site.audit.entries.map(({ answer }) => answer)).to.deep.equal(['yes', 'yes']);
    } finally {
      await own.close();
      await other.stop();
    }
  });
});
