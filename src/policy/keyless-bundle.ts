import { X509Certificate } from 'node:crypto';
import type { BundleWithDsseEnvelope } from '@sigstore/bundle';
import { toSignedEntity, type TrustMaterial, Verifier } from '@sigstore/verify';
import type { Digest } from '../image/digest.ts';
import { wildcardMatches } from '../wildcard.ts';
import { imageSignatureBundle } from './sigstore-bundle.ts';

/** Whose keyless signatures are right. */
export interface KeylessIdentity {
  readonly trust: TrustMaterial;
  /** The OpenID provider that knew the signer, exactly. */
  readonly issuer: string;
  /** The certificate's subject alternative name, `*` for any characters. */
  readonly subject: string;
}

/** One of each is what everybody's bundles have; the library would verify any number. */
const MAX_PROOFS = 4;
/** A checkpoint has three lines and a few signatures (characters). */
const MAX_CHECKPOINT = 16 * 1024;
/** RFC 5280 §4.2.1.12. */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/**
 * Whether these bytes are a Sigstore bundle v0.3 in which this identity signs `digest` as an image: with a certificate of the
 * trusted root's authorities that one of its certificate logs has seen, that was valid when a trusted log or timestamp
 * authority saw the signature, and with a proof that a trusted transparency log has it. Offline. Never throws.
 */
export function verifyKeylessBundle(bytes: Uint8Array, digest: Digest, identity: KeylessIdentity): boolean {
  try {
    return signs(bytes, digest, identity);
  } catch {
    // The library throws on whatever it cannot parse or verify; none of it is a signature.
    return false;
  }
}

function signs(bytes: Uint8Array, digest: Digest, { trust, issuer, subject }: KeylessIdentity): boolean {
  const bundle = imageSignatureBundle(bytes, digest);
  if (bundle === undefined || !isForSigning(bundle) || !areProofsTame(bundle)) return false;
  const verifier = new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
  // Throws unless everything is proved and the issuer is this one. Its policy for the subject is an unanchored regular expression.
  const { identity } = verifier.verify(toSignedEntity(bundle), { extensions: { issuer } });
  const name = identity?.subjectAlternativeName;
  return name !== undefined && identity?.extensions?.issuer === issuer && wildcardMatches(subject, name);
}

/**
 * An end certificate for signing code. One that has signed itself is refused before the library sees it, which would look for
 * its issuer's issuer until the stack is full.
 */
function isForSigning({ verificationMaterial: { content } }: BundleWithDsseEnvelope): boolean {
  if (content.$case !== 'certificate') return false;
  const certificate = new X509Certificate(content.certificate.rawBytes);
  // For end certificates Node tells the extended uses, as dotted numbers, here; undefined where there are none.
  const uses: readonly string[] | undefined = certificate.keyUsage;
  return !certificate.ca && uses?.includes(CODE_SIGNING) === true && !certificate.verify(certificate.publicKey);
}

/**
 * No more proofs than are of use, and no signer's name in a checkpoint that is more than a host and a path: the library takes it for
 * a regular expression before it has verified anything, and some of those take for ever.
 */
function areProofsTame({ verificationMaterial: { tlogEntries, timestampVerificationData } }: BundleWithDsseEnvelope): boolean {
  if (tlogEntries.length > MAX_PROOFS || (timestampVerificationData?.rfc3161Timestamps.length ?? 0) > MAX_PROOFS) return false;
  return tlogEntries.every(({ inclusionProof }) => {
    const envelope = inclusionProof?.checkpoint?.envelope ?? '';
    const names = [...envelope.slice(0, MAX_CHECKPOINT).matchAll(/\u2014 (\S+)/g)].map(([, name]) => name ?? '');
    return envelope.length <= MAX_CHECKPOINT && names.every((name) => /^[A-Za-z0-9._:/-]+$/.test(name));
  });
}
