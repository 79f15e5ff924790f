import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';

/** Reads images' documents from registries: manifests and configurations, never a layer. */
export interface Registry {
  /**
   * The image that `reference` names for `platform`: index -> this platform's manifest -> configuration, every digest
   * verified over the raw bytes. A digest in the reference wins over its tag.
   * Throws RegistryUnavailable (outage, rate limit, deadline), RegistryInvalid (an answer that cannot be judged) or
   * ImageUnacceptable (the documents are honest about an image that nobody should run: see there).
   */
  resolve(reference: Reference, platform: Platform, signal: AbortSignal): Promise<Image>;
  /** The digest that a tag names at present (of index or manifest); one conditional request. Throws as above. */
  currentDigest(reference: Reference, signal: AbortSignal): Promise<Digest>;
  /** Whatever claims to be a signature of `digest` in the reference's repository, in both of cosign's layouts; nothing of it is verified. */
  signatures(reference: Reference, digest: Digest, signal: AbortSignal): Promise<readonly SignatureDocument[]>;
  /**
   * The same registries, read as a caller with these logins; those without one as the site. What a login has shown is remembered for
   * nobody. A registry that takes no callers' logins is ImageUnacceptable.
   */
  as(logins: RegistryLogins): Registry;
}

/** One claimed signature, as bytes. */
export type SignatureDocument =
  /** The `sha256-<hex>.sig` tag's layout: a payload and the base64 signature over it. */
  | { readonly kind: 'simple-signing'; readonly payload: Uint8Array; readonly signature: string }
  /** A Sigstore bundle attached as a referrer. */
  | { readonly kind: 'bundle'; readonly bundle: Uint8Array };

/** Thrown by every method: a verdict against the image, not an outage. */
export { ImageUnacceptable } from '../image/image-unacceptable.ts';
