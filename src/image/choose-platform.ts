import { ImageUnacceptable } from './image-unacceptable.ts';
import type { Descriptor, Index } from './manifest.ts';
import { INDEX_TYPES, MANIFEST_TYPES } from './media-types.ts';
import { formatPlatform, normalisePlatform, samePlatform, type Platform } from './platform.ts';

/** How deep indexes may be nested: one within one (containerd follows any depth; nobody builds more). */
export const MAX_INDEX_DEPTH = 2;

/**
 * The entry of an index that holds the image for `platform`: the first one of exactly this platform, as engines take it.
 * Where none is, the only index within, or the only entry, if that names no platform. Attestations are passed over.
 * Throws ImageUnacceptable `image.platform`, naming what there is, or `image.nested-index`.
 */
export function choosePlatform(index: Index, platform: Platform): Descriptor {
  const wanted = normalisePlatform(platform);
  const entries = index.manifests.filter((entry) => !isAttestation(entry));
  const images = entries.filter((entry) => MANIFEST_TYPES.has(entry.mediaType));
  const exact = images.find((entry) => entry.platform !== undefined && samePlatform(normalisePlatform(entry.platform), wanted));
  if (exact !== undefined) return exact;
  const nested = entries.filter((entry) => INDEX_TYPES.has(entry.mediaType) && mayHold(entry, wanted));
  if (nested.length > 1) throw new ImageUnacceptable('image.nested-index', 'the index holds several indexes, and which one is meant is left open');
  if (nested[0] !== undefined) return nested[0];
  const [only, ...others] = images;
  if (only !== undefined && others.length === 0 && only.platform === undefined) return only;
  const there = images.map((entry) => (entry.platform === undefined ? 'unnamed' : formatPlatform(normalisePlatform(entry.platform))));
  const list = there.length === 0 ? 'no image at all' : [...new Set(there)].slice(0, 12).map((text) => printable(text)).join(', ');
  throw new ImageUnacceptable('image.platform', `the image is not for ${formatPlatform(wanted)}; there is ${list}`);
}

/** BuildKit stores provenance as further manifests of an index, for a platform that is none. */
function isAttestation(entry: Descriptor): boolean {
  return entry.platform?.os === 'unknown' || entry.platform?.architecture === 'unknown' || Object.hasOwn(entry.annotations, 'vnd.docker.reference.type');
}

function mayHold(entry: Descriptor, wanted: Platform): boolean {
  return entry.platform === undefined || samePlatform(normalisePlatform(entry.platform), wanted);
}

function printable(text: string): string {
  return text.slice(0, 40).replace(/[^\x21-\x7e]/g, '?');
}
