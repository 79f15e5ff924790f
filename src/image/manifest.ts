import { z } from 'zod';
import { isDigest, type Digest } from './digest.ts';
import { MANIFEST_SHAPE } from './document-shapes.ts';
import { ImageUnacceptable } from './image-unacceptable.ts';
import { CONFIG_TYPES, ENCRYPTED_LAYER, FOREIGN_LAYER, INDEX_TYPES, LAYER_TYPES, MANIFEST_TYPES, MEDIA_TYPE_REQUIRED, SCHEMA1_TYPES } from './media-types.ts';
import { quoted } from './quoted.ts';
import { parseStrictJson } from './strict-json.ts';

/** Digest, size and type of some content: image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

/** A manifest, of an image or of anything else that is stored like one. */
export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
}

/** An index: manifests to choose from. */
export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/** Largest manifest or index that is read (bytes); registries are expected to take 4 MiB (distribution-spec). */
export const MAX_MANIFEST = 4 * 2 ** 20;
/** Largest configuration that is read (bytes). */
export const MAX_CONFIG = 4 * 2 ** 20;
/** overlay2 mounts at most 128 directories, one of which is the container's own. */
export const MAX_LAYERS = 127;
/** More platforms than there are; attestations come on top of each. */
const MAX_INDEX_ENTRIES = 256;
/** More than any engine of a site should unpack (bytes, compressed). */
const MAX_IMAGE_SIZE = 2 ** 40;

const descriptorSchema = z.looseObject({
  mediaType: z.string(),
  digest: z.unknown(),
  size: z.unknown(),
  annotations: z.record(z.string(), z.string()).nullish(),
  artifactType: z.string().optional(),
  platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).nullish(),
});

/**
 * A manifest or index from its exact bytes; `mediaType` is what the registry called it. Every descriptor in it has a
 * SHA-256 digest and a whole size. Throws ImageUnacceptable.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest | Index {
  const isIndex = INDEX_TYPES.has(mediaType);
  const what = isIndex ? 'index' : 'manifest';
  if (SCHEMA1_TYPES.has(mediaType)) throw new ImageUnacceptable('image.schema1', 'the image exists only in the retired schema 1');
  if (!isIndex && !MANIFEST_TYPES.has(mediaType)) throw new ImageUnacceptable('image.media-type', `the document is ${quoted(mediaType)}, not an image manifest or index`);
  if (bytes.length > MAX_MANIFEST) throw new ImageUnacceptable('image.size', `the ${what} is larger than ${MAX_MANIFEST} bytes`);
  const document = z.record(z.string(), z.unknown()).safeParse(parseStrictJson(bytes, MANIFEST_SHAPE, what)).data;
  if (document === undefined) throw new ImageUnacceptable('image.malformed', `the ${what} is not a JSON object`);
  checkKind(document, mediaType, isIndex, what);
  const subject = document['subject'] == null ? {} : { subject: descriptorOf(document['subject'], `subject of the ${what}`) };
  if (isIndex) return { kind: 'index', mediaType, manifests: descriptorsOf(document['manifests'], 'index', MAX_INDEX_ENTRIES) };
  const config = descriptorOf(document['config'], 'configuration named by the manifest');
  return { kind: 'manifest', mediaType, config, layers: descriptorsOf(document['layers'], 'manifest', MAX_LAYERS), ...subject };
}

/** One reader's manifest must not be another's index (CVE-2021-41190), nor either a schema 1 document. */
function checkKind(document: Readonly<Record<string, unknown>>, mediaType: string, isIndex: boolean, what: string): void {
  const has = (key: string): boolean => Object.hasOwn(document, key);
  if (document['schemaVersion'] === 1 || has('fsLayers') || has('signatures')) throw new ImageUnacceptable('image.schema1', `the ${what} has members of the retired schema 1`);
  if (document['schemaVersion'] !== 2) throw new ImageUnacceptable('image.malformed', `the ${what} lacks "schemaVersion": 2`);
  if (has('manifests') && (has('layers') || has('config'))) throw new ImageUnacceptable('image.ambiguous-document', `the ${what} has both "manifests" and "layers" or "config"`);
  if (isIndex ? !has('manifests') : has('manifests')) throw new ImageUnacceptable('image.media-type', `the document was called an ${isIndex ? 'index' : 'image manifest'} and is none`);
  const named = document['mediaType'];
  if (named === undefined ? MEDIA_TYPE_REQUIRED.has(mediaType) : named !== mediaType) {
    throw new ImageUnacceptable('image.media-type', `the ${what} was served as ${quoted(mediaType)} and calls itself ${named === undefined ? 'nothing' : quoted(typeof named === 'string' ? named : typeof named)}`);
  }
}

function descriptorsOf(value: unknown, what: string, max: number): readonly Descriptor[] {
  const list = z.array(z.unknown()).safeParse(value).data;
  if (list === undefined) throw new ImageUnacceptable('image.malformed', `the ${what} has no list of ${what === 'index' ? 'manifests' : 'layers'}`);
  if (list.length > max) throw new ImageUnacceptable(what === 'index' ? 'image.size' : 'image.layer-count', `the ${what} has ${list.length} entries, more than ${max}`);
  return list.map((entry, i) => descriptorOf(entry, `entry ${i} of the ${what}`));
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const found = descriptorSchema.safeParse(value).data;
  if (found === undefined) throw new ImageUnacceptable('image.descriptor', `the ${what} is not a descriptor`);
  if (Object.hasOwn(found, 'urls')) throw new ImageUnacceptable('image.foreign-layer', `the ${what} names URLs to be fetched from`);
  const { mediaType, digest, size, annotations, artifactType, platform } = found;
  if (!isDigest(digest)) throw new ImageUnacceptable('image.descriptor', `the ${what} has no SHA-256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw new ImageUnacceptable('image.descriptor', `the ${what} has no valid size`);
  return {
    mediaType,
    digest,
    size,
    annotations: annotations ?? {},
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform == null ? {} : { platform: withoutUndefined(platform) }),
  };
}

function withoutUndefined(platform: { os: string; architecture: string; variant?: string | undefined }): NonNullable<Descriptor['platform']> {
  const { os, architecture, variant } = platform;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/**
 * Whether this manifest is a container image that an engine may be given: configuration and layers of known types, nothing
 * foreign or encrypted, sizes within bounds. Returns the sum of the layers' sizes (bytes). Throws ImageUnacceptable.
 */
export function checkImageManifest(manifest: Manifest): number {
  const { config, layers } = manifest;
  if (!CONFIG_TYPES.has(config.mediaType)) throw new ImageUnacceptable('image.config-type', `the manifest is of something else than a container image: its configuration is ${quoted(config.mediaType)}`);
  if (config.size > MAX_CONFIG) throw new ImageUnacceptable('image.size', `the configuration is larger than ${MAX_CONFIG} bytes`);
  for (const [i, { mediaType }] of layers.entries()) {
    if (FOREIGN_LAYER.test(mediaType)) throw new ImageUnacceptable('image.foreign-layer', `layer ${i} is to be fetched from outside of the registry`);
    if (ENCRYPTED_LAYER.test(mediaType)) throw new ImageUnacceptable('image.encrypted-layer', `layer ${i} is encrypted`);
    if (!LAYER_TYPES.has(mediaType)) throw new ImageUnacceptable('image.layer-type', `layer ${i} is of the type ${quoted(mediaType)}`);
  }
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  if (size > MAX_IMAGE_SIZE) throw new ImageUnacceptable('image.size', `the layers are together larger than ${MAX_IMAGE_SIZE} bytes`);
  return size;
}
