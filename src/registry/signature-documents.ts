import { z } from 'zod';
import type { Digest } from '../image/digest.ts';
import { ImageUnacceptable } from '../image/image-unacceptable.ts';
import { parseManifest, type Descriptor, type Manifest } from '../image/manifest.ts';
import { MANIFEST_TYPES } from '../image/media-types.ts';
import type { CachingRegistry } from './caching-registry.ts';
import type { SignatureDocument } from './registry.ts';
import type { Repository } from './registry-source.ts';

/** More signatures than an image has; anyone who may push can add more, so what is beyond is not read. */
const MAX_SIGNATURES = 20;
/** Larger than any payload or bundle (bytes). */
const MAX_SIGNATURE = 2 ** 20;

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle\b/;
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

/**
 * Reads what claims to be signatures of `digest`, from both of cosign's layouts (sigstore/cosign, specs/SIGNATURE_SPEC.md
 * and BUNDLE_SPEC.md). What is malformed or too large is passed over, for anybody with push rights can add it; nothing is
 * verified here but digests. Throws as the source does, except that nothing found is an empty list.
 */
export async function readSignatures(source: CachingRegistry, repository: Repository, digest: Digest, signal: AbortSignal): Promise<readonly SignatureDocument[]> {
  const simple = await simpleSignatures(source, repository, digest, signal);
  const bundles = await bundleSignatures(source, repository, digest, MAX_SIGNATURES - simple.length, signal);
  return [...simple, ...bundles];
}

/** Tag `sha256-<hex>.sig`: a manifest whose layers are payloads, the signatures being their annotations. */
async function simpleSignatures(source: CachingRegistry, repository: Repository, digest: Digest, signal: AbortSignal): Promise<SignatureDocument[]> {
  const manifest = await taggedManifest(source, repository, `${digest.replace(':', '-')}.sig`, signal);
  const found: SignatureDocument[] = [];
  for (const layer of manifest?.kind === 'manifest' ? manifest.layers.slice(0, MAX_SIGNATURES) : []) {
    const signature = layer.annotations[SIGNATURE_ANNOTATION];
    if (layer.mediaType !== SIMPLE_SIGNING || signature === undefined || layer.size > MAX_SIGNATURE) continue;
    const payload = await unlessUnacceptable(source.blob(repository, layer.digest, MAX_SIGNATURE, signal));
    if (payload !== undefined) found.push({ kind: 'simple-signing', payload, signature });
  }
  return found;
}

/** Referrers that are Sigstore bundles: manifests with this subject and the bundle as their one layer. */
async function bundleSignatures(source: CachingRegistry, repository: Repository, digest: Digest, most: number, signal: AbortSignal): Promise<SignatureDocument[]> {
  const candidates = (await referrers(source, repository, digest, signal)).filter(mayBeBundle).slice(0, most);
  const found: SignatureDocument[] = [];
  for (const candidate of candidates) {
    const bundle = await unlessUnacceptable(readBundle(source, repository, digest, candidate, signal));
    if (bundle !== undefined) found.push({ kind: 'bundle', bundle });
  }
  return found;
}

function mayBeBundle(entry: Descriptor): boolean {
  return MANIFEST_TYPES.has(entry.mediaType) && (entry.artifactType === undefined || BUNDLE.test(entry.artifactType));
}

async function readBundle(source: CachingRegistry, repository: Repository, digest: Digest, entry: Descriptor, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const { mediaType, bytes } = await source.manifest(repository, entry.digest, signal);
  const manifest: Manifest | { readonly kind: 'index' } = parseManifest(bytes, mediaType);
  if (manifest.kind !== 'manifest' || manifest.subject?.digest !== digest) return undefined;
  const [layer, ...others] = manifest.layers;
  if (layer === undefined || others.length > 0 || !BUNDLE.test(layer.mediaType) || layer.size > MAX_SIGNATURE) return undefined;
  return source.blob(repository, layer.digest, MAX_SIGNATURE, signal);
}

/** By the referrers API, or by the tag that stands in for it where a registry has none (distribution-spec 1.1). */
async function referrers(source: CachingRegistry, repository: Repository, digest: Digest, signal: AbortSignal): Promise<readonly Descriptor[]> {
  const pages = await source.referrers(repository, digest, signal);
  if (pages === undefined) {
    const index = await taggedManifest(source, repository, digest.replace(':', '-'), signal);
    return index?.kind === 'index' ? index.manifests : [];
  }
  const lists = await Promise.all(pages.map((page) => unlessUnacceptable((async () => parseManifest(page, mediaTypeOfIndex(page)))())));
  return lists.flatMap((list) => (list?.kind === 'index' ? list.manifests : []));
}

/** The API's answer is an OCI index; its own `mediaType` has to say so. */
function mediaTypeOfIndex(page: Uint8Array): string {
  try {
    return z.object({ mediaType: z.string() }).parse(JSON.parse(Buffer.from(page).toString('utf8'))).mediaType;
  } catch {
    return OCI_INDEX;
  }
}

async function taggedManifest(source: CachingRegistry, repository: Repository, tag: string, signal: AbortSignal): Promise<ReturnType<typeof parseManifest> | undefined> {
  return unlessUnacceptable(
    (async () => {
      const digest = await source.digestOfTag(repository, tag, false, signal);
      const { mediaType, bytes } = await source.manifest(repository, digest, signal);
      return parseManifest(bytes, mediaType);
    })(),
  );
}

/** Undefined where it is not there, not to be read or malformed; outages go on. */
async function unlessUnacceptable<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof ImageUnacceptable) return undefined;
    throw error;
  }
}
