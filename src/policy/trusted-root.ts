import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';

/** The public one has 7 kB in 2026, and logs are added year by year (bytes). */
export const MAX_TRUSTED_ROOT = 256 * 1024;
const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.1|\.v0\.[12]\+json)$/;

/**
 * A Sigstore trusted root (`trusted_root.json`): certificate authorities, logs of certificates and of signatures, and timestamp
 * authorities. Nobody is asked for a newer one. Throws an Error with a message for the operator.
 */
export function readTrustedRoot(text: string): TrustMaterial {
  const root = parse(text);
  if (!MEDIA_TYPE.test(root.mediaType)) throw new Error('must be a Sigstore trusted root in JSON (trusted_root.json), version 0.1 or 0.2');
  // Without any of these no signature could ever be right, since one of each is asked for.
  if (root.certificateAuthorities.length === 0) throw new Error('has no certificate authorities');
  if (root.ctlogs.length === 0) throw new Error('has no logs of certificates (ctlogs)');
  if (root.tlogs.length === 0) throw new Error('has no transparency logs (tlogs)');
  try {
    return toTrustMaterial(root);
  } catch (error) {
    throw new Error('has a certificate or a key that cannot be read', { cause: error });
  }
}

/** What is wrong with `text` as a trusted root; undefined = nothing. */
export function trustedRootProblem(text: string): string | undefined {
  try {
    readTrustedRoot(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parse(text: string): TrustedRoot {
  try {
    return TrustedRoot.fromJSON(JSON.parse(text));
  } catch (error) {
    throw new Error('is not a Sigstore trusted root in JSON', { cause: error });
  }
}
