import { verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Digest } from '../image/digest.ts';

/** cosign SIGNATURE_SPEC.md, "Simple Signing": what is signed names a manifest by digest. Other members prove nothing. */
const payload = z.looseObject({
  critical: z.looseObject({
    type: z.literal('cosign container image signature'),
    image: z.looseObject({ 'docker-manifest-digest': z.string() }),
  }),
});

/** Hashes that signers use with an ECDSA key: cosign SHA-256 for every curve, others the curve's own. */
const HASHES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['sha256'],
  secp384r1: ['sha256', 'sha384'],
  secp521r1: ['sha256', 'sha512'],
};

/** Whether `signature` (base64) over exactly these bytes is this key's, and the bytes are a signature of `digest`. Never throws. */
export function verifySimpleSigning(bytes: Uint8Array, signature: string, digest: Digest, key: KeyObject): boolean {
  if (!/^[A-Za-z0-9+/]{1,4096}={0,2}$/.test(signature)) return false;
  const signed = Buffer.from(signature, 'base64');
  return hashesFor(key).some((hash) => isSignature(hash, bytes, key, signed)) && payloadDigest(bytes) === digest;
}

function isSignature(hash: string | null, bytes: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify(hash, bytes, key, signature);
  } catch {
    // A signature of the wrong length or form is none.
    return false;
  }
}

function hashesFor(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === 'ed25519') return [null];
  return HASHES[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? ['sha256'];
}

function payloadDigest(bytes: Uint8Array): string | undefined {
  try {
    const parsed = payload.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.data?.critical.image['docker-manifest-digest'];
  } catch {
    return undefined;
  }
}
