import type { KeyObject } from 'node:crypto';
import { type Bundle, BUNDLE_V03_MEDIA_TYPE, bundleFromJSON, type BundleWithDsseEnvelope, isBundleWithDsseEnvelope, isBundleWithPublicKey } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { z } from 'zod';
import type { Digest } from '../image/digest.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** cosign BUNDLE_SPEC.md: only this predicate says "I sign this image"; the same key may well sign a report that it is full of holes. */
const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** in-toto attestation framework, Statement v1. */
const statement = z.looseObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  predicateType: z.literal(SIGN_PREDICATE),
  subject: z.array(z.looseObject({ digest: z.record(z.string(), z.string()) })).min(1),
});

/**
 * Whether these bytes are a Sigstore bundle v0.3 in which this key signs `digest` as an image. Offline: what the bundle says
 * of transparency logs and timestamps is not looked at, since the key alone is trusted. Certificates are not accepted here:
 * keyless-bundle.ts is for them. Never throws.
 */
export function verifySigstoreBundle(bytes: Uint8Array, digest: Digest, key: KeyObject): boolean {
  try {
    return signs(bytes, digest, key);
  } catch {
    // The library throws on whatever it cannot parse or verify; none of it is a signature.
    return false;
  }
}

/**
 * A bundle v0.3 that claims to sign `digest` as an image (cosign BUNDLE_SPEC.md); undefined where it claims anything else.
 * Nothing is verified yet. Throws on what is no bundle.
 */
export function imageSignatureBundle(bytes: Uint8Array, digest: Digest): BundleWithDsseEnvelope | undefined {
  const bundle: Bundle = bundleFromJSON(JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (bundle.mediaType !== BUNDLE_V03_MEDIA_TYPE || !isBundleWithDsseEnvelope(bundle)) return undefined;
  const { payloadType, payload } = bundle.content.dsseEnvelope;
  if (payloadType !== PAYLOAD_TYPE) return undefined;
  const parsed = statement.safeParse(JSON.parse(payload.toString('utf8')));
  const isAbout = parsed.success && parsed.data.subject.some((subject) => `sha256:${subject.digest['sha256'] ?? ''}` === digest);
  return isAbout ? bundle : undefined;
}

function signs(bytes: Uint8Array, digest: Digest, key: KeyObject): boolean {
  const bundle = imageSignatureBundle(bytes, digest);
  if (bundle === undefined || !isBundleWithPublicKey(bundle)) return false;
  const { content } = bundle.verificationMaterial;
  const keyed = { ...bundle, verificationMaterial: { content, tlogEntries: [], timestampVerificationData: undefined } };
  // Throws unless the one signature is the key's.
  verifierWith(key).verify(toSignedEntity(keyed));
  return true;
}

function verifierWith(key: KeyObject): Verifier {
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    // Whatever hint the bundle gives, this is the only key that counts.
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  };
  return new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
}
