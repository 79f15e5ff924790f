import { expect } from 'chai';
import { EngineRefused } from '../../src/engine/engine.ts';
import type { Digest } from '../../src/image/digest.ts';
import type { Image } from '../../src/image/image.ts';
import { rejects } from '../contract/engine.ts';
import { DockerWorld } from '../contract/engine-docker.ts';
import { judged, shellTask } from '../contract/engine-image.ts';
import {
  buildImage, busyboxLayer, configOf, descriptorOf, HOST_PLATFORM, jsonDocument, layerOf, manifestOf, MEDIA_TYPES, pushBlob, pushManifest, rawDocument,
} from '../support/oci-image.ts';
import type { BuiltImage, BuiltLayer, OciDocument } from '../support/oci-image.ts';

const { signal } = new AbortController();

/**
 * Images whose documents say one thing to JSON.parse and another to the engine (keys in any letter case, objects merged), or
 * that lie about their layers: what a judge without strict parsing would let pass, the engine adapter refuses, because it
 * compares the engine's view after the pull. Each test also shows what would have run.
 */
describe('an image that the engine sees otherwise than its judge', function () {
  this.timeout(60_000);
  let world: DockerWorld;
  let base: BuiltLayer;
  let evil: BuiltLayer;
  let repositories = 0;

  before(async () => {
    world = await DockerWorld.start();
    base = await busyboxLayer();
    evil = await layerOf({ '/evil': 'evil' });
  });

  after(() => world.stop());

  /** Pushes these documents and layers as they are; tells the image as `view` of them. */
  async function push(config: OciDocument, layers: readonly BuiltLayer[], view: Partial<BuiltImage> & { readonly text?: string } = {}): Promise<Image> {
    const manifest = view.manifest ?? jsonDocument(manifestOf(config, layers), MEDIA_TYPES.oci.manifest);
    const repository = `${world.gateway}/attack${String(++repositories)}`;
    for (const layer of [...layers, ...(view.layers ?? [])]) await pushBlob(world.registry.host, repository, layer.bytes);
    await pushBlob(world.registry.host, repository, config.bytes);
    await pushManifest(world.registry.host, repository, manifest.digest, manifest);
    const read = JSON.parse(config.bytes.toString('utf8')) as { config: Record<string, unknown>; rootfs: { diff_ids: Digest[] } };
    const image = judged({ manifest, config, layers, platform: HOST_PLATFORM, settings: read.config }, world.registry.host, repository);
    return { ...image, diffIds: read.rootfs.diff_ids };
  }

  async function refused(image: Image): Promise<string> {
    const error = await rejects(world.engine.ensureImage(image, () => undefined, signal), EngineRefused);
    expect(error.temporary).to.equal(false);
    // And nothing later on takes it all the same.
    await rejects(world.engine.create('attack', shellTask(image, 'true'), signal), EngineRefused);
    expect(await world.engine.list()).to.deep.equal([]);
    return error.message;
  }

  async function engineSees(image: Image): Promise<{ Layers: string[]; User: string; Entrypoint: string[] }> {
    const seen = await world.docker.getImage(`${image.reference.domain}/${image.reference.path}@${image.manifestDigest}`).inspect();
    return { Layers: seen.RootFS.Layers ?? [], User: seen.Config.User, Entrypoint: [seen.Config.Entrypoint ?? []].flat() };
  }

  it('the honest image is taken', async () => {
    const config = jsonDocument(configOf([base, evil], HOST_PLATFORM, { Env: ['PATH=/bin'], Cmd: ['sh'] }), MEDIA_TYPES.oci.config);
    await world.engine.ensureImage(await push(config, [base, evil]), () => undefined, signal);
  });

  for (const key of ['RootFS', 'rootf\u017f']) {
    it(`layers: "rootfs" with the approved base, "${key}" with another`, async () => {
      const other = await layerOf({ '/other': 'o' });
      const honest = configOf([base, evil], HOST_PLATFORM, { Cmd: ['sh'] });
      const config = jsonDocument(
        { ...honest, [key]: { type: 'layers', diff_ids: [other.diffId, evil.diffId] }, History: honest['history'] },
        MEDIA_TYPES.oci.config,
      );
      const image = await push(config, [other, evil]);
      expect(image.diffIds[0], 'the judge sees the base').to.equal(base.diffId);
      expect(await refused(image)).to.include('layers');
      expect((await engineSees(image)).Layers, 'the engine has none of it').to.deep.equal([other.diffId, evil.diffId]);
    });
  }

  it('user: "User" 1000 for the judge, "user" 0 for the engine', async () => {
    const config = jsonDocument(configOf([base], HOST_PLATFORM, { User: '1000', Cmd: ['sh'], user: '0' }), MEDIA_TYPES.oci.config);
    const image = await push(config, [base]);
    expect(image.config.user).to.equal('1000');
    expect(await refused(image)).to.include('config.User');
    expect((await engineSees(image)).User).to.equal('0');
  });

  it('entrypoint: two spellings', async () => {
    const config = jsonDocument(configOf([base], HOST_PLATFORM, { Entrypoint: ['/bin/true'], entrypoint: ['/evil'] }), MEDIA_TYPES.oci.config);
    const image = await push(config, [base]);
    expect(await refused(image)).to.include('config.Entrypoint');
    expect((await engineSees(image)).Entrypoint).to.deep.equal(['/evil']);
  });

  it('entrypoint: two "config" objects, which the engine merges', async () => {
    const honest = JSON.stringify(configOf([base], HOST_PLATFORM, { Cmd: ['sh'] }));
    const config = rawDocument(`{"config":{"Entrypoint":["/evil"]},${honest.slice(1)}`, MEDIA_TYPES.oci.config);
    const image = await push(config, [base]);
    expect(image.config.entrypoint).to.deep.equal([]);
    expect(await refused(image)).to.include('config.Entrypoint');
    expect((await engineSees(image)).Entrypoint).to.deep.equal(['/evil']);
  });

  it('manifest: "config" for the judge, "Config" for the engine', async () => {
    const config = jsonDocument(configOf([base], HOST_PLATFORM, { Cmd: ['sh'] }), MEDIA_TYPES.oci.config);
    const other = jsonDocument(configOf([base], HOST_PLATFORM, { Entrypoint: ['/evil'] }), MEDIA_TYPES.oci.config);
    const manifest = jsonDocument({ ...manifestOf(config, [base]), Config: descriptorOf(other) }, MEDIA_TYPES.oci.manifest);
    const image = await push(config, [base], { manifest, layers: [{ ...other, diffId: other.digest }] });
    expect(await refused(image)).to.match(/: id, .*config\.Entrypoint/);
    expect((await engineSees(image)).Entrypoint).to.deep.equal(['/evil']);
  });

  it('architecture: another one than the site runs', async () => {
    const honest = await buildImage({ platform: { os: 'linux', architecture: HOST_PLATFORM.architecture === 'arm64' ? 'amd64' : 'arm64' } });
    const image = await push(honest.config, honest.layers);
    expect(await refused(image)).to.include('architecture');
  });

  for (const [what, claim] of [
    ['forged', (layers: readonly BuiltLayer[]) => [base.diffId, ...layers.slice(1).map(() => evil.diffId)]],
    ['too few', (layers: readonly BuiltLayer[]) => layers.slice(1).map((layer) => layer.diffId)],
    ['too many', (layers: readonly BuiltLayer[]) => [base.diffId, ...layers.map((layer) => layer.diffId)]],
  ] as const) {
    it(`diff ids: ${what}, so that the layers unpack to something else`, async () => {
      const layers = [await layerOf({ [`/a-${what}`]: what }), await layerOf({ [`/b-${what}`]: what })];
      const config = jsonDocument(
        { ...configOf(layers, HOST_PLATFORM, { Cmd: ['sh'] }), rootfs: { type: 'layers', diff_ids: claim(layers) }, history: undefined },
        MEDIA_TYPES.oci.config,
      );
      // The engine tells of it in its progress only, after a 200.
      expect(await refused(await push(config, layers))).to.match(/could not pull the image: .*layers/i);
    });
  }

  describe('and pulls that fail', () => {
    it('no such manifest: refused for good', async () => {
      const image = judged(await buildImage({ document: { author: 'never pushed' } }), world.registry.host, `${world.gateway}/absent`);
      const error = await rejects(world.engine.ensureImage(image, () => undefined, signal), EngineRefused, 'could not pull');
      expect(error.temporary).to.equal(false);
    });

    it('no such registry: refused for now, and no address is told', async () => {
      const image = judged(await buildImage(), '127.0.0.1:1', 'a/b');
      const error = await rejects(world.engine.ensureImage(image, () => undefined, signal), EngineRefused, 'could not pull');
      expect(error.temporary).to.equal(true);
      expect(error.message).to.not.match(/\d+\.\d+\.\d+\.\d+/);
    });
  });
});
