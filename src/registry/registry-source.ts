import type { Digest } from '../image/digest.ts';

/** Where a document is looked for: a registry by its name in references, and a repository in it. */
export interface Repository {
  readonly domain: string;
  readonly path: string;
}

/** A manifest or index as it was served. The digest was computed over the bytes. */
export interface Content {
  readonly digest: Digest;
  /** Without parameters, in lower case. */
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a tag names; with the document itself where it came along. */
export interface TagAnswer {
  readonly digest: Digest;
  readonly content?: Content;
}

/**
 * Documents of registries, each verified against its digest. Every method throws ImageUnacceptable (`registry.not-allowed`,
 * `image.not-found`, `image.denied`), RegistryUnavailable or RegistryInvalid, or the signal's reason.
 */
export interface RegistrySource {
  /**
   * What the tag names at present. `known` is a digest that was true earlier: if it still is, nothing is transferred.
   * `digestOnly`: the document is not wanted.
   */
  tag(repository: Repository, tag: string, known: Digest | undefined, digestOnly: boolean, signal: AbortSignal): Promise<TagAnswer>;
  manifest(repository: Repository, digest: Digest, signal: AbortSignal): Promise<Content>;
  /** A blob of at most `maxBytes`. */
  blob(repository: Repository, digest: Digest, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** The referrers API's pages (distribution-spec 1.1), unparsed; undefined where the registry does not have it. */
  referrers(repository: Repository, digest: Digest, signal: AbortSignal): Promise<readonly Uint8Array[] | undefined>;
}
