import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { GatewayError } from '../../src/errors.ts';
import { digestOf } from '../../src/image/digest.ts';
import { parseReference } from '../../src/image/reference.ts';
import { createLogger } from '../../src/logger.ts';
import { SystemClock } from '../../src/clock.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registriesSchema } from '../../src/registry/registry-config.ts';
import { ImageUnacceptable, type Registry } from '../../src/registry/registry.ts';
import {
  buildImage,
  busyboxLayer,
  configOf,
  descriptorOf,
  HOST_PLATFORM,
  jsonDocument,
  layerOf,
  manifestOf,
  MEDIA_TYPES,
  pushBlob,
  pushManifest,
  rawDocument,
  type BuiltLayer,
  type OciDocument,
} from '../support/oci-image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry-process.ts';

const run = promisify(execFile);
type Json = Record<string, unknown>;
const { oci } = MEDIA_TYPES;
const settings = (word: string, more: Json = {}): Json => ({ Env: ['PATH=/bin'], Entrypoint: ['/bin/echo', word], ...more });

/** Text of a JSON object with one more member at its end, which JSON.stringify would not write. */
const withMember = (object: unknown, name: string, value: unknown): string => JSON.stringify(object).replace(/\}$/, `,"${name}":${JSON.stringify(value)}}`);

/** The pieces that hostile documents are made of. */
interface Pieces {
  readonly base: BuiltLayer;
  readonly other: BuiltLayer;
  readonly config: (more?: Json, layers?: readonly BuiltLayer[]) => Json;
}

/** What is pushed, in order; the last is what the reference names. */
interface Hostile {
  readonly blobs: readonly { readonly bytes: Buffer }[];
  readonly manifests: readonly OciDocument[];
}

/** A manifest of a configuration's exact text. */
function imageOf(config: OciDocument, layers: readonly BuiltLayer[], more: Json = {}): Hostile {
  return { blobs: [config, ...layers], manifests: [jsonDocument({ ...manifestOf(config, layers), ...more }, oci.manifest)] };
}

function entryPoint(config: Json): string {
  const words = (config['config'] as Json)['Entrypoint'];
  return Array.isArray(words) ? words.join(' ') : 'no entry point';
}

const configText = (text: string): OciDocument => rawDocument(text, oci.config);

/** Documents that show one image to JSON.parse (`shows`, of the configuration that the manifest names) and another one to the engine. */
const twoFaced: readonly { readonly title: string; readonly code: string; readonly build: (pieces: Pieces) => Hostile; readonly engineRuns: string; readonly shows: (config: Json) => unknown; readonly weWouldSee: string }[] = [
  {
    title: 'f11: Entrypoint and ENTRYPOINT',
    code: 'image.ambiguous-key',
    build: ({ base, config }) => imageOf(configText(JSON.stringify(config()).replace('"Entrypoint"', '"Entrypoint":["/bin/echo","honest"],"ENTRYPOINT"').replace('["/bin/echo","honest"]}', '["/bin/echo","evil"]}')), [base]),
    shows: entryPoint,
    weWouldSee: '/bin/echo honest',
    engineRuns: 'evil',
  },
  {
    title: 'f14: two objects called config, which the engine merges',
    code: 'image.duplicate-key',
    build: ({ base, config }) => {
      const text = JSON.stringify(config({ config: { Cmd: ['x'] } }));
      return imageOf(configText(text.replace('"config":', `"config":${JSON.stringify(settings('evil'))},"config":`)), [base]);
    },
    shows: entryPoint,
    weWouldSee: 'no entry point',
    engineRuns: 'evil x',
  },
  {
    title: 'f12: rootfs and RootFS, with other layers',
    code: 'image.ambiguous-key',
    build: ({ base, other, config }) => imageOf(configText(withMember(config({ config: settings('-', { Entrypoint: ['/bin/cat', '/message'] }) }, [base]), 'RootFS', { type: 'layers', diff_ids: [other.diffId] })), [other]),
    shows: (config) => ((config['rootfs'] as Json)['diff_ids'] as string[]).join(),
    weWouldSee: 'BASE',
    engineRuns: 'other layers',
  },
  {
    title: 'f13: rootfs and rootfſ',
    code: 'image.ambiguous-key',
    build: ({ base, other, config }) => imageOf(configText(withMember(config({ config: settings('-', { Entrypoint: ['/bin/cat', '/message'] }) }, [base]), 'rootf\u017f', { type: 'layers', diff_ids: [other.diffId] })), [other]),
    shows: (config) => ((config['rootfs'] as Json)['diff_ids'] as string[]).join(),
    weWouldSee: 'BASE',
    engineRuns: 'other layers',
  },
  {
    title: 'usercase: User and user',
    code: 'image.ambiguous-key',
    build: ({ base, config }) => imageOf(configText(JSON.stringify(config({ config: settings('-', { Entrypoint: ['/bin/id', '-u'], User: '1000' }) })).replace('"User":"1000"', '"User":"1000","user":"0"')), [base]),
    shows: (config) => (config['config'] as Json)['User'],
    weWouldSee: '1000',
    engineRuns: '0',
  },
  {
    title: 'f10: a manifest with config and Config',
    code: 'image.ambiguous-key',
    build: ({ base, config }) => {
      const [honest, evil] = [jsonDocument(config(), oci.config), jsonDocument(config({ config: settings('evil') }), oci.config)];
      const document = rawDocument(withMember(manifestOf(honest, [base]), 'Config', descriptorOf(evil)), oci.manifest);
      return { blobs: [honest, evil, base], manifests: [document] };
    },
    shows: entryPoint,
    weWouldSee: '/bin/echo honest',
    engineRuns: 'evil',
  },
];

/** Documents that are refused whatever the engine would make of them. */
const refused: readonly { readonly title: string; readonly code: string; readonly build: (pieces: Pieces) => Hostile | Promise<Hostile> }[] = [
  { title: 'a foreign layer', code: 'image.foreign-layer', build: ({ base, config }) => imageOf(jsonDocument(config(), oci.config), [base], { layers: [{ ...descriptorOf(base), mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['http://169.254.169.254/layer'] }] }) },
  { title: 'urls of an ordinary layer (CVE-2020-15157)', code: 'image.foreign-layer', build: ({ base, config }) => imageOf(jsonDocument(config(), oci.config), [base], { layers: [{ ...descriptorOf(base), urls: ['http://169.254.169.254/layer'] }] }) },
  { title: 'an encrypted layer', code: 'image.encrypted-layer', build: ({ base, config }) => imageOf(jsonDocument(config(), oci.config), [base], { layers: [{ ...descriptorOf(base), mediaType: `${oci.layer}+encrypted` }] }) },
  { title: 'more diff_ids than layers', code: 'image.layer-count', build: ({ base, other, config }) => imageOf(jsonDocument(config({ history: [] }, [base, other]), oci.config), [base]) },
  { title: 'fewer diff_ids than layers', code: 'image.layer-count', build: ({ base, other, config }) => imageOf(jsonDocument(config({ history: [] }, [base]), oci.config), [base, other]) },
  { title: 'a history that disagrees', code: 'image.layer-count', build: ({ base, config }) => imageOf(jsonDocument(config({ history: [{}, {}] }), oci.config), [base]) },
  { title: 'a layer too many for any engine', code: 'image.layer-count', build: ({ base, config }) => imageOf(jsonDocument(config({ history: [] }, Array.from({ length: 128 }, () => base)), oci.config), Array.from({ length: 128 }, () => base)) },
  { title: 'a configuration larger than it says', code: 'image.size', build: ({ base, config }) => { const document = jsonDocument(config(), oci.config); return imageOf(document, [base], { config: { ...descriptorOf(document), size: document.bytes.length - 1 } }); } },
  { title: 'a configuration smaller than it says', code: 'image.size', build: ({ base, config }) => { const document = jsonDocument(config(), oci.config); return imageOf(document, [base], { config: { ...descriptorOf(document), size: document.bytes.length + 1 } }); } },
  { title: 'a layer of a size beyond all measure', code: 'image.size', build: ({ base, config }) => imageOf(jsonDocument(config(), oci.config), [base], { layers: [{ ...descriptorOf(base), size: 2 ** 52 }] }) },
  { title: 'something else than an image', code: 'image.config-type', build: ({ base }) => imageOf({ ...rawDocument('{}', 'application/vnd.cncf.helm.config.v1+json') }, [base]) },
  { title: 'a configuration with a byte order mark', code: 'image.malformed', build: ({ base, config }) => imageOf(configText(`\ufeff${JSON.stringify(config())}`), [base]) },
  { title: 'a configuration that nests without end', code: 'image.malformed', build: ({ base, config }) => imageOf(configText(withMember(config(), 'x', 0).replace('"x":0', `"x":${'['.repeat(1000)}${']'.repeat(1000)}`)), [base]) },
  { title: 'a configuration that is not UTF-8', code: 'image.malformed', build: ({ base, config }) => imageOf({ ...rawDocument(Buffer.concat([Buffer.from(JSON.stringify(config()).slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')]), oci.config) }, [base]) },
  { title: 'an index whose entry names another platform than the image is for', code: 'image.platform-contradiction', build: ({ base, config }) => indexed(config({ architecture: 's390x' }), base, [{ platform: HOST_PLATFORM }]) },
  { title: 'an index of attestations only', code: 'image.platform', build: ({ base, config }) => indexed(config(), base, [{ platform: { os: 'unknown', architecture: 'unknown' } }, { platform: HOST_PLATFORM, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }]) },
  { title: 'an index that calls the manifest another type', code: 'image.media-type', build: ({ base, config }) => indexed(config(), base, [{ platform: HOST_PLATFORM, mediaType: MEDIA_TYPES.docker.manifest }]) },
  { title: 'an index that says another size of the manifest', code: 'image.size', build: ({ base, config }) => indexed(config(), base, [{ platform: HOST_PLATFORM, size: 7 }]) },
  { title: 'an index with the key Platform', code: 'image.ambiguous-key', build: ({ base, config }) => indexed(config(), base, [{ Platform: HOST_PLATFORM }]) },
];

function indexed(config: Json, layer: BuiltLayer, entries: readonly Json[]): Hostile {
  const image = imageOf(jsonDocument(config, oci.config), [layer]);
  const manifest = image.manifests[0];
  if (manifest === undefined) throw new Error('an image without manifest');
  const index = { schemaVersion: 2, mediaType: oci.index, manifests: entries.map((entry) => ({ ...descriptorOf(manifest), ...entry })) };
  return { blobs: image.blobs, manifests: [manifest, jsonDocument(index, oci.index)] };
}

describe('hostile documents, pushed raw to a real registry', () => {
  let server: RegistryProcess;
  let registry: Registry & { close(): Promise<void> };
  let pieces: Pieces;
  const pulled: string[] = [];
  const platform = { ...HOST_PLATFORM, variant: '' };

  before(async () => {
    server = await startRegistry();
    registry = createRegistry({ registries: registriesSchema.parse([{ host: server.host, insecure: true, internal: true }]) }, new SystemClock(), createLogger('silent'));
    const base = await busyboxLayer();
    const busybox = await buildImage();
    const other = await layerOf({ '/message': 'other layers', '/bin/cat': { content: await busyboxBinary(), mode: 0o755 } });
    pieces = { base, other, config: (more = {}, layers = [base]) => ({ ...configOf(layers, busybox.platform, settings('honest')), ...more }) };
  });
  after(async () => {
    if (pulled.length > 0) await run('docker', ['rmi', '-f', ...pulled]);
    await registry.close();
    await server.stop();
  });

  async function push(hostile: Hostile): Promise<string> {
    const repository = `hostile/${randomBytes(6).toString('hex')}`;
    for (const { bytes } of hostile.blobs) await pushBlob(server.host, repository, bytes);
    let name = '';
    for (const document of hostile.manifests) {
      await pushManifest(server.host, repository, document.digest, document);
      name = `${server.host}/${repository}@${document.digest}`;
    }
    return name;
  }

  async function verdict(name: string): Promise<string> {
    const error = await registry.resolve(parseReference(name), platform, new AbortController().signal).then(() => undefined, (failure: unknown) => failure);
    if (error instanceof ImageUnacceptable || error instanceof GatewayError) return error.code;
    if (error instanceof Error) throw error;
    return 'accepted';
  }

  async function runInEngine(name: string): Promise<string> {
    pulled.push(name);
    const container = `pratique-hostile-${randomBytes(6).toString('hex')}`;
    const { stdout } = await run('docker', ['run', '--rm', '--network=none', `--name=${container}`, name]);
    return stdout.trim();
  }

  it('an honest one of the same pieces is accepted and runs', async () => {
    const name = await push(imageOf(jsonDocument(pieces.config(), oci.config), [pieces.base]));
    expect([await verdict(name), await runInEngine(name)]).to.deep.equal(['accepted', 'honest']);
  });

  for (const { title, code, build, shows, weWouldSee, engineRuns } of twoFaced) {
    it(`${title}: ${code}; JSON.parse shows ${weWouldSee}, the engine would have run ${engineRuns}`, async () => {
      const hostile = build(pieces);
      const manifest = JSON.parse(hostile.manifests[0]?.bytes.toString() ?? '') as { config: { digest: string } };
      const config = hostile.blobs.find(({ bytes }) => digestOf(bytes) === manifest.config.digest);
      expect(shows(JSON.parse(config?.bytes.toString() ?? '') as Json)).to.equal(weWouldSee.replace('BASE', pieces.base.diffId));
      const name = await push(hostile);
      expect(await verdict(name)).to.equal(code);
      expect(await runInEngine(name)).to.equal(engineRuns);
    });
  }

  for (const { title, code, build } of refused) {
    it(`${title}: ${code}`, async () => expect(await verdict(await push(await build(pieces)))).to.equal(code));
  }
});

async function busyboxBinary(): Promise<Buffer> {
  const { stdout } = await run('sh', ['-c', 'cat "$(command -v busybox)"'], { encoding: 'buffer', maxBuffer: 2 ** 24 });
  return stdout;
}
