import { expect } from 'chai';
import { GatewayError } from '../../src/errors.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { Platform } from '../../src/image/platform.ts';
import { parseReference, type Reference } from '../../src/image/reference.ts';
import { ImageUnacceptable, type Registry } from '../../src/registry/registry.ts';
import type { BuiltImage, BuiltIndex, OciDocument } from '../support/oci-image.ts';
import { buildImage, buildIndex, descriptorOf, jsonDocument, manifestOf, MEDIA_TYPES } from '../support/oci-image.ts';

/** A registry with something in it that the implementation under test reads. */
export interface RegistryWorld {
  readonly registry: Registry;
  /** The domain of references to it. */
  readonly domain: string;
  pushImage(repository: string, tag: string, image: BuiltImage): Promise<unknown>;
  pushIndex(repository: string, tag: string, index: BuiltIndex): Promise<unknown>;
  pushBlob(repository: string, bytes: Buffer): Promise<unknown>;
  pushManifest(repository: string, tag: string, document: OciDocument): Promise<unknown>;
  /** Makes whatever is remembered of tags too old to be believed. */
  age(): void;
  stop(): Promise<void>;
}

export const AMD64: Platform = { os: 'linux', architecture: 'amd64', variant: '' };
const NEVER = new AbortController().signal;

/** What every Registry promises: see src/registry/registry.ts. */
export function describeRegistry(name: string, start: () => Promise<RegistryWorld>): void {
  describe(`${name}: a registry`, () => {
    let world: RegistryWorld;
    before(async () => (world = await start()));
    after(() => world.stop());

    const platform = { os: 'linux', architecture: 'amd64' };
    const reference = (rest: string): Reference => parseReference(`${world.domain}/${rest}`);
    const resolve = (rest: string, wanted = AMD64) => world.registry.resolve(reference(rest), wanted, NEVER);
    const codeOf = async (attempt: Promise<unknown>): Promise<string> => {
      const error = await attempt.then(() => undefined, (failure: unknown) => failure);
      if (error instanceof ImageUnacceptable || error instanceof GatewayError) return error.code;
      return error === undefined ? 'no error' : 'another error';
    };

    describe('resolve', () => {
      for (const format of ['oci', 'docker'] as const) {
        it(`gives the image of a tag, ${format}`, async () => {
          const image = await buildImage({
            format,
            platform,
            files: { '/a': 'a' },
            config: { User: '1000', Entrypoint: ['/bin/cat'], Cmd: ['/a'], Labels: { x: 'y' }, WorkingDir: '/tmp' },
          });
          await world.pushImage(`single/${format}`, '1', image);
          const asked = reference(`single/${format}:1`);
          expect(await world.registry.resolve(asked, AMD64, NEVER)).to.deep.equal({
            reference: asked,
            manifestDigest: image.manifest.digest,
            configDigest: image.config.digest,
            platform: AMD64,
            diffIds: image.layers.map((layer) => layer.diffId),
            size: image.layers.reduce((sum, layer) => sum + layer.bytes.length, 0),
            created: Date.UTC(2026, 0, 1),
            config: {
              user: '1000', env: ['PATH=/bin'], entrypoint: ['/bin/cat'], command: ['/a'], workingDirectory: '/tmp',
              volumes: [], exposedPorts: [], labels: { x: 'y' }, stopSignal: '', healthcheck: [],
            },
          });
        });

        it(`goes through an index to this platform's image, ${format}`, async () => {
          const here = await buildImage({ format, platform, config: { User: '1' } });
          const there = await buildImage({ format, platform: { os: 'linux', architecture: 'arm64' }, config: { User: '2' } });
          const index = buildIndex([there, here], format);
          await world.pushIndex(`index/${format}`, '1', index);
          const image = await resolve(`index/${format}:1`);
          expect(image.indexDigest).to.equal(index.index.digest);
          expect(image.manifestDigest).to.equal(here.manifest.digest);
          expect(image.config.user).to.equal('1');
          const other = await resolve(`index/${format}:1`, { os: 'linux', architecture: 'arm64', variant: '' });
          expect(other.manifestDigest).to.equal(there.manifest.digest);
        });
      }

      it('goes through an index within an index', async () => {
        const image = await buildImage({ platform });
        const inner = buildIndex([image]);
        await world.pushIndex('nested', 'inner', inner);
        const outer = jsonDocument({ schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: [descriptorOf(inner.index)] }, MEDIA_TYPES.oci.index);
        await world.pushManifest('nested', '1', outer);
        const found = await resolve('nested:1');
        expect([found.indexDigest, found.manifestDigest]).to.deep.equal([outer.digest, image.manifest.digest]);
      });

      it('takes the digest of a reference, whatever its tag says', async () => {
        const [first, second] = [await buildImage({ platform, config: { User: '1' } }), await buildImage({ platform, config: { User: '2' } })];
        await world.pushImage('pinned', '1', first);
        await world.pushImage('pinned', '2', second);
        const image = await resolve(`pinned:2@${first.manifest.digest}`);
        expect(image.manifestDigest).to.equal(first.manifest.digest);
        expect(image.reference.tag).to.equal('2');
      });

      it('sees that a tag has moved', async () => {
        const [first, second] = [await buildImage({ platform, config: { User: '1' } }), await buildImage({ platform, config: { User: '2' } })];
        await world.pushImage('moving', '1', first);
        expect((await resolve('moving:1')).manifestDigest).to.equal(first.manifest.digest);
        await world.pushImage('moving', '1', second);
        world.age();
        expect((await resolve('moving:1')).manifestDigest).to.equal(second.manifest.digest);
      });

      it('finds by digest only what the repository has', async () => {
        const image = await buildImage({ platform, config: { User: '77' } });
        await world.pushImage('has', '1', image);
        await resolve(`has@${image.manifest.digest}`);
        expect(await codeOf(resolve(`lacks@${image.manifest.digest}`))).to.equal('image.not-found');
      });

      for (const missing of ['nothing/here:1', 'single/oci:nothing', `single/oci@${digestOf('nothing')}`]) {
        it(`refuses ${missing.slice(0, 30)}, which is not there`, async () => {
          expect(await codeOf(resolve(missing))).to.equal('image.not-found');
        });
      }

      it('refuses an image for another platform', async () => {
        await world.pushImage('elsewhere', '1', await buildImage({ platform: { os: 'linux', architecture: 's390x' } }));
        expect(await codeOf(resolve('elsewhere:1'))).to.equal('image.platform');
      });

      it('refuses an index without this platform', async () => {
        await world.pushIndex('elsewhere', 'index', buildIndex([await buildImage({ platform: { os: 'linux', architecture: 's390x' } })]));
        expect(await codeOf(resolve('elsewhere:index'))).to.equal('image.platform');
      });

      it('refuses a registry that is not configured', async () => {
        const elsewhere = parseReference('registry.invalid/a:1');
        expect(await codeOf(world.registry.resolve(elsewhere, AMD64, NEVER))).to.equal('registry.not-allowed');
        expect(await codeOf(world.registry.currentDigest(elsewhere, NEVER))).to.equal('registry.not-allowed');
        expect(await codeOf(world.registry.signatures(elsewhere, digestOf('x'), NEVER))).to.equal('registry.not-allowed');
      });

      it('ends with the reason of its signal', async () => {
        const reason = new Error('enough');
        const outcome = await world.registry.resolve(reference('single/oci:1'), AMD64, AbortSignal.abort(reason)).catch((error: unknown) => error);
        expect(outcome).to.equal(reason);
      });
    });

    describe('currentDigest', () => {
      it('is what the tag names now, not a moment ago', async () => {
        const [first, second] = [await buildImage({ platform, config: { User: '3' } }), await buildImage({ platform, config: { User: '4' } })];
        await world.pushImage('current', '1', first);
        const asked = reference('current:1');
        expect(await world.registry.currentDigest(asked, NEVER)).to.equal(first.manifest.digest);
        await world.pushImage('current', '1', second);
        expect(await world.registry.currentDigest(asked, NEVER)).to.equal(second.manifest.digest);
        expect(await world.registry.currentDigest(reference(`current:1@${first.manifest.digest}`), NEVER)).to.equal(second.manifest.digest);
      });

      it('is the index\'s digest where the tag names one', async () => {
        const index = buildIndex([await buildImage({ platform })]);
        await world.pushIndex('current', 'index', index);
        expect(await world.registry.currentDigest(reference('current:index'), NEVER)).to.equal(index.index.digest);
      });

      it('is the digest of a reference without tag', async () => {
        expect(await world.registry.currentDigest(reference(`current@${digestOf('x')}`), NEVER)).to.equal(digestOf('x'));
      });

      it('refuses a tag that is not there', async () => {
        expect(await codeOf(world.registry.currentDigest(reference('current:nothing'), NEVER))).to.equal('image.not-found');
      });
    });

    describe('signatures', () => {
      const SIMPLE = 'application/vnd.dev.cosign.simplesigning.v1+json';
      const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
      const EMPTY = { bytes: Buffer.from('{}'), mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}') };
      const blob = (text: string, mediaType: string) => ({ bytes: Buffer.from(text), mediaType, digest: digestOf(text) });
      const signed = digestOf('signed');
      const tagOf = (digest: string) => digest.replace(':', '-');

      /** A `.sig` manifest of these payloads, each with a signature of its own. */
      async function pushSimple(repository: string, payloads: readonly string[]): Promise<void> {
        const config = jsonDocument({}, MEDIA_TYPES.oci.config);
        const blobs = payloads.map((payload) => blob(payload, SIMPLE));
        for (const { bytes } of [config, ...blobs]) await world.pushBlob(repository, bytes);
        const layers = blobs.map((each, i) => ({ ...descriptorOf(each), annotations: { 'dev.cosignproject.cosign/signature': `signature ${i}` } }));
        await world.pushManifest(repository, `${tagOf(signed)}.sig`, jsonDocument({ ...manifestOf(config, []), layers }, MEDIA_TYPES.oci.manifest));
      }

      /** Bundles as referrers, listed under the tag that stands in for the API. */
      async function pushBundles(repository: string, bundles: readonly { text: string; subject?: string; artifactType?: string }[]): Promise<void> {
        await world.pushBlob(repository, EMPTY.bytes);
        const entries = [];
        for (const { text, subject = signed, artifactType = BUNDLE } of bundles) {
          const layer = blob(text, BUNDLE);
          await world.pushBlob(repository, layer.bytes);
          const manifest = jsonDocument(
            { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.manifest, artifactType, config: descriptorOf(EMPTY), layers: [descriptorOf(layer)], subject: { mediaType: MEDIA_TYPES.oci.manifest, digest: subject, size: 1 } },
            MEDIA_TYPES.oci.manifest,
          );
          await world.pushManifest(repository, manifest.digest, manifest);
          entries.push({ ...descriptorOf(manifest), artifactType });
        }
        await world.pushManifest(repository, tagOf(signed), jsonDocument({ schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: entries }, MEDIA_TYPES.oci.index));
      }

      const read = async (repository: string) =>
        (await world.registry.signatures(reference(`${repository}:1`), signed, NEVER)).map((document) =>
          document.kind === 'bundle' ? Buffer.from(document.bundle).toString() : `${Buffer.from(document.payload).toString()} ${document.signature}`,
        );

      it('are none where there are none', async () => expect(await read('unsigned')).to.deep.equal([]));

      it('are read from the .sig tag', async () => {
        await pushSimple('signed/simple', ['payload a', 'payload b']);
        expect(await read('signed/simple')).to.deep.equal(['payload a signature 0', 'payload b signature 1']);
      });

      it('are read from referrers', async () => {
        await pushBundles('signed/bundle', [{ text: 'bundle a' }, { text: 'bundle b' }]);
        expect(await read('signed/bundle')).to.deep.equal(['bundle a', 'bundle b']);
      });

      it('are read from both', async () => {
        await pushSimple('signed/both', ['payload']);
        await pushBundles('signed/both', [{ text: 'bundle' }]);
        expect(await read('signed/both')).to.deep.equal(['payload signature 0', 'bundle']);
      });

      it('leave out referrers of other kinds and of other subjects', async () => {
        await pushBundles('signed/mixed', [{ text: 'other kind', artifactType: 'application/spdx+json' }, { text: 'other subject', subject: digestOf('other') }, { text: 'ours' }]);
        expect(await read('signed/mixed')).to.deep.equal(['ours']);
      });

      it('are at most twenty', async () => {
        await pushSimple('signed/many', Array.from({ length: 30 }, (_, i) => `payload ${i}`));
        expect(await read('signed/many')).to.have.length(20);
      });

      it('are at most 1 MiB each', async () => {
        await pushSimple('signed/large', ['x'.repeat(2 ** 20 + 1), 'small']);
        expect(await read('signed/large')).to.deep.equal(['small signature 1']);
      });

      it('leave out what is malformed, and keep the rest', async () => {
        await pushSimple('signed/malformed', ['payload']);
        await world.pushManifest('signed/malformed', tagOf(signed), jsonDocument({ schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: [], MANIFESTS: [] }, MEDIA_TYPES.oci.index));
        expect(await read('signed/malformed')).to.deep.equal(['payload signature 0']);
      });
    });
  });
}
