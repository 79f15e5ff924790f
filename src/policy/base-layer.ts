import { digestOf, type Digest } from '../image/digest.ts';
import type { Platform } from '../image/platform.ts';
import type { BaseSighting } from './base-sighting.ts';

/**
 * ChainIDs of the layers, base first (image-spec, config.md, "Layer ChainID"): the k-th names the first k layers together, so
 * that one image begins with all layers of another exactly if the other's last ChainID is among its own.
 */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}

/** Digests of archives without a single entry, as builders write them: no bytes, one to two zero blocks, tar's 10 kB. */
const EMPTY_LAYERS: ReadonlySet<Digest> = new Set([0, 512, 1024, 10240].map((size) => digestOf(new Uint8Array(size))));

/** Why an image cannot serve as an approved base; undefined = it can. */
export function baseProblem(diffIds: readonly Digest[]): string | undefined {
  if (diffIds.length === 0) return 'it has no layers, so that every image would be built on it';
  if (diffIds.every((diffId) => EMPTY_LAYERS.has(diffId))) return 'all its layers are empty, so that it says nothing of what is built on it';
  return undefined;
}

/** All sightings of bases, by what their layers are: one look-up per layer of the image, however many bases there are. */
export class BaseIndex {
  readonly #byChain = new Map<string, Map<string, BaseSighting>>();

  /** Adds a sighting, or replaces an earlier state of the same one. */
  put(sighting: BaseSighting): void {
    const chain = chainIds(sighting.diffIds).at(-1);
    if (chain === undefined) return;
    const at = place(sighting.platform, chain);
    const there = this.#byChain.get(at) ?? new Map<string, BaseSighting>();
    this.#byChain.set(at, there.set(identity(sighting), sighting));
  }

  delete(sighting: BaseSighting): void {
    const chain = chainIds(sighting.diffIds).at(-1);
    if (chain === undefined) return;
    const at = place(sighting.platform, chain);
    const there = this.#byChain.get(at);
    there?.delete(identity(sighting));
    if (there?.size === 0) this.#byChain.delete(at);
  }

  /** Every sighting on this platform whose layers `diffIds` begins with; the longest first, then the most recently seen. */
  beneath(diffIds: readonly Digest[], platform: Platform): readonly BaseSighting[] {
    return [...chainIds(diffIds)].reverse().flatMap((chain) => {
      const there = this.#byChain.get(place(platform, chain));
      return there === undefined ? [] : [...there.values()].sort((a, b) => b.lastSeen - a.lastSeen);
    });
  }
}

function place(platform: Platform, chain: Digest): string {
  return `${platform.os}/${platform.architecture}/${platform.variant} ${chain}`;
}

function identity(sighting: BaseSighting): string {
  return `${sighting.reference} ${sighting.tagDigest}`;
}

/** How many layers two images have in common, from the first on. */
export function commonLayers(one: readonly Digest[], other: readonly Digest[]): number {
  const end = one.findIndex((diffId, i) => diffId !== other[i]);
  return end === -1 ? one.length : end;
}
