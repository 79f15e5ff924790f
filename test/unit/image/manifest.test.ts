import { expect } from 'chai';
import { digestOf } from '../../../src/image/digest.ts';
import { ImageUnacceptable } from '../../../src/image/image-unacceptable.ts';
import { checkImageManifest, MAX_LAYERS, MAX_MANIFEST, parseManifest, type Manifest } from '../../../src/image/manifest.ts';
import { MEDIA_TYPES } from '../../support/oci-image.ts';

type Json = Record<string, unknown>;
const D = digestOf('x');
const { oci, docker } = MEDIA_TYPES;

const layer = (more: Json = {}): Json => ({ mediaType: oci.layer, digest: D, size: 10, ...more });
const manifest = (more: Json = {}): Json => ({
  schemaVersion: 2,
  mediaType: oci.manifest,
  config: { mediaType: oci.config, digest: D, size: 5 },
  layers: [layer(), layer({ size: 32 })],
  ...more,
});
const index = (more: Json = {}): Json => ({ schemaVersion: 2, mediaType: oci.index, manifests: [{ mediaType: oci.manifest, digest: D, size: 5, platform: { os: 'linux', architecture: 'amd64' } }], ...more });
const without = (document: Json, key: string): Json => Object.fromEntries(Object.entries(document).filter(([name]) => name !== key));

function codeOf(document: unknown, mediaType: string): string {
  const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  try {
    const parsed = parseManifest(bytes, mediaType);
    if (parsed.kind === 'manifest') checkImageManifest(parsed);
    return 'ok';
  } catch (error) {
    if (error instanceof ImageUnacceptable) return error.code;
    throw error;
  }
}

const dockerManifest = manifest({ mediaType: docker.manifest, config: { mediaType: docker.config, digest: D, size: 5 }, layers: [layer({ mediaType: docker.layer })] });
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

/** title, document, type as served, answer */
const table: readonly (readonly [string, unknown, string, string])[] = [
  ['an OCI manifest', manifest(), oci.manifest, 'ok'],
  ['an OCI manifest that does not name its type', without(manifest(), 'mediaType'), oci.manifest, 'ok'],
  ['a Docker manifest', dockerManifest, docker.manifest, 'ok'],
  ['zstd and plain layers', manifest({ layers: [layer({ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }), layer({ mediaType: 'application/vnd.oci.image.layer.v1.tar' })] }), oci.manifest, 'ok'],
  ['annotations that are no struct', manifest({ annotations: { a: '', A: '' } }), oci.manifest, 'ok'],
  ['an OCI index', index(), oci.index, 'ok'],
  ['a Docker list', index({ mediaType: docker.index }), docker.index, 'ok'],
  ['an empty index', index({ manifests: [] }), oci.index, 'ok'],
  ['no layers', manifest({ layers: [] }), oci.manifest, 'ok'],
  // Types.
  ['a Docker manifest that does not name its type', without(dockerManifest, 'mediaType'), docker.manifest, 'image.media-type'],
  ['an OCI manifest served as Docker\'s', manifest(), docker.manifest, 'image.media-type'],
  ['a Docker manifest served as OCI', dockerManifest, oci.manifest, 'image.media-type'],
  ['an index served as a manifest', index(), oci.manifest, 'image.media-type'],
  ['an index without type served as a manifest', without(index(), 'mediaType'), oci.manifest, 'image.media-type'],
  ['a manifest served as an index', manifest(), oci.index, 'image.media-type'],
  ['a manifest without type served as an index', without(manifest(), 'mediaType'), oci.index, 'image.media-type'],
  ['a type that is no string', manifest({ mediaType: 2 }), oci.manifest, 'image.media-type'],
  ['a type that is null', manifest({ mediaType: null }), oci.manifest, 'image.media-type'],
  ['served as a web page', manifest(), 'text/html', 'image.media-type'],
  ['served as nothing', manifest(), '', 'image.media-type'],
  // Two documents in one (CVE-2021-41190).
  ['a manifest with manifests', manifest({ manifests: [] }), oci.manifest, 'image.ambiguous-document'],
  ['an index with layers', index({ layers: [] }), oci.index, 'image.ambiguous-document'],
  ['an index with a configuration', index({ config: {} }), oci.index, 'image.ambiguous-document'],
  ['an index with layers that are null', index({ layers: null }), oci.index, 'image.ambiguous-document'],
  // Schema 1.
  ['schema 1 by its type', { schemaVersion: 1 }, 'application/vnd.docker.distribution.manifest.v1+prettyjws', 'image.schema1'],
  ['schema 1 unsigned', { schemaVersion: 1 }, 'application/vnd.docker.distribution.manifest.v1+json', 'image.schema1'],
  ['schema 1 by its version', manifest({ schemaVersion: 1 }), oci.manifest, 'image.schema1'],
  ['schema 1 by its members', manifest({ fsLayers: [] }), oci.manifest, 'image.schema1'],
  ['signatures of schema 1', manifest({ signatures: [] }), oci.manifest, 'image.schema1'],
  // Form.
  ['no JSON', 'x', oci.manifest, 'image.malformed'],
  ['null', 'null', oci.manifest, 'image.malformed'],
  ['a list', [], oci.manifest, 'image.malformed'],
  ['a string', '"manifest"', oci.manifest, 'image.malformed'],
  ['no version', without(manifest(), 'schemaVersion'), oci.manifest, 'image.malformed'],
  ['the version as a string', manifest({ schemaVersion: '2' }), oci.manifest, 'image.malformed'],
  ['version 3', manifest({ schemaVersion: 3 }), oci.manifest, 'image.malformed'],
  ['no list of layers', without(manifest(), 'layers'), oci.manifest, 'image.malformed'],
  ['layers that are an object', manifest({ layers: {} }), oci.manifest, 'image.malformed'],
  ['no configuration', without(manifest(), 'config'), oci.manifest, 'image.descriptor'],
  ['two equal keys', JSON.stringify(manifest()).replace('{', '{"layers":[],'), oci.manifest, 'image.duplicate-key'],
  ['config and Config (f10)', manifest({ Config: {} }), oci.manifest, 'image.ambiguous-key'],
  // Descriptors.
  ['a layer that is a string', manifest({ layers: [D] }), oci.manifest, 'image.descriptor'],
  ['a layer without digest', manifest({ layers: [without(layer(), 'digest')] }), oci.manifest, 'image.descriptor'],
  ['an upper-case digest', manifest({ layers: [layer({ digest: D.toUpperCase() })] }), oci.manifest, 'image.descriptor'],
  ['a digest with a path', manifest({ layers: [layer({ digest: `${D}/../../x` })] }), oci.manifest, 'image.descriptor'],
  ['SHA-512', manifest({ layers: [layer({ digest: `sha512:${'a'.repeat(128)}` })] }), oci.manifest, 'image.descriptor'],
  ['a negative size', manifest({ layers: [layer({ size: -1 })] }), oci.manifest, 'image.descriptor'],
  ['a fractional size', manifest({ layers: [layer({ size: 1.5 })] }), oci.manifest, 'image.descriptor'],
  ['a size as a string', manifest({ layers: [layer({ size: '10' })] }), oci.manifest, 'image.descriptor'],
  ['a size beyond precision', manifest({ layers: [layer({ size: 2 ** 60 })] }), oci.manifest, 'image.descriptor'],
  ['no size', manifest({ layers: [without(layer(), 'size')] }), oci.manifest, 'image.descriptor'],
  ['a subject that is none', manifest({ subject: { digest: 'x' } }), oci.manifest, 'image.descriptor'],
  ['annotations that are no strings', manifest({ layers: [layer({ annotations: { a: 1 } })] }), oci.manifest, 'image.descriptor'],
  // Where layers come from.
  ['a foreign layer', manifest({ layers: [layer({ mediaType: FOREIGN })] }), oci.manifest, 'image.foreign-layer'],
  ['a non-distributable layer', manifest({ layers: [layer({ mediaType: NONDISTRIBUTABLE })] }), oci.manifest, 'image.foreign-layer'],
  ['urls of a layer (CVE-2020-15157)', manifest({ layers: [layer({ urls: ['http://169.254.169.254/'] })] }), oci.manifest, 'image.foreign-layer'],
  ['empty urls', manifest({ layers: [layer({ urls: [] })] }), oci.manifest, 'image.foreign-layer'],
  ['urls of the configuration', manifest({ config: { mediaType: oci.config, digest: D, size: 5, urls: ['http://x'] } }), oci.manifest, 'image.foreign-layer'],
  ['urls in an index', index({ manifests: [{ mediaType: oci.manifest, digest: D, size: 5, urls: ['http://x'] }] }), oci.index, 'image.foreign-layer'],
  ['an encrypted layer', manifest({ layers: [layer({ mediaType: `${oci.layer}+encrypted` })] }), oci.manifest, 'image.encrypted-layer'],
  ['a layer that is no layer', manifest({ layers: [layer({ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' })] }), oci.manifest, 'image.layer-type'],
  // What it is.
  ['a Helm chart', manifest({ config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: D, size: 5 } }), oci.manifest, 'image.config-type'],
  ['a Docker plugin', manifest({ config: { mediaType: 'application/vnd.docker.plugin.v1+json', digest: D, size: 5 } }), oci.manifest, 'image.config-type'],
  ['a model', manifest({ config: { mediaType: 'application/vnd.docker.ai.model.config.v0.1+json', digest: D, size: 5 } }), oci.manifest, 'image.config-type'],
  ['an empty artifact', manifest({ config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: D, size: 2 } }), oci.manifest, 'image.config-type'],
  // Sizes and counts.
  ['a huge configuration', manifest({ config: { mediaType: oci.config, digest: D, size: 2 ** 30 } }), oci.manifest, 'image.size'],
  ['layers beyond all measure', manifest({ layers: [layer({ size: 2 ** 50 })] }), oci.manifest, 'image.size'],
  [`${MAX_LAYERS} layers`, manifest({ layers: Array.from({ length: MAX_LAYERS }, () => layer()) }), oci.manifest, 'ok'],
  [`${MAX_LAYERS + 1} layers`, manifest({ layers: Array.from({ length: MAX_LAYERS + 1 }, () => layer()) }), oci.manifest, 'image.layer-count'],
  ['an index of 257 entries', index({ manifests: Array.from({ length: 257 }, () => ({ mediaType: oci.manifest, digest: D, size: 5 })) }), oci.index, 'image.size'],
  ['a manifest of 4 MiB and a byte', JSON.stringify(manifest()).padEnd(MAX_MANIFEST + 1), oci.manifest, 'image.size'],
  ['a manifest of 4 MiB', JSON.stringify(manifest()).padEnd(MAX_MANIFEST), oci.manifest, 'ok'],
];

describe('manifests and indexes', () => {
  for (const [title, document, type, answer] of table) it(`${title}: ${answer}`, () => expect(codeOf(document, type)).to.equal(answer));

  it('gives descriptors and the sum of the layers\' sizes', () => {
    const parsed = parseManifest(Buffer.from(JSON.stringify(manifest({ subject: layer() }))), oci.manifest) as Manifest;
    expect(parsed.config.digest).to.equal(D);
    expect(parsed.layers).to.have.length(2);
    expect(parsed.subject?.digest).to.equal(D);
    expect(checkImageManifest(parsed)).to.equal(42);
  });

  it('shows foreign text escaped', () => {
    expect(() => parseManifest(Buffer.from('{}'), 'text/html\u001b[31m')).to.throw(ImageUnacceptable, '"text/html\\u001b[31m"');
  });
});
