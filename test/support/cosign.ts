import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { Digest } from '../../src/image/digest.ts';
import type { SignatureDocument } from '../../src/registry/registry.ts';

/**
 * Signatures as cosign's SIGNATURE_SPEC.md and BUNDLE_SPEC.md describe them, made here with node:crypto, since no cosign can
 * be had: independent of the code under test, but not of our reading of the specifications. test/e2e/policy.test.ts signs
 * with OpenSSL's program instead.
 */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly hash: string | null;
}

export function signingKey(kind: 'p256' | 'p384' | 'rsa' | 'ed25519' = 'p256'): SigningKey {
  const pair =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'P-256' : 'P-384' });
  const privateKey = createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { privateKey, pem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(), hash: kind === 'ed25519' ? null : 'sha256' };
}

export function simpleSigningPayload(digest: Digest, more: Readonly<Record<string, unknown>> = {}): Buffer {
  const critical = { identity: { 'docker-reference': 'reg.example/any' }, image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' };
  return Buffer.from(JSON.stringify({ critical: { ...critical, ...more }, optional: null }));
}

/** The `.sig` tag's layout. */
export function simpleSigning({ privateKey, hash }: SigningKey, payload: Buffer): SignatureDocument {
  return { kind: 'simple-signing', payload, signature: sign(hash, payload, privateKey).toString('base64') };
}

export interface BundleSpec {
  readonly payloadType?: string;
  readonly statement?: Readonly<Record<string, unknown>>;
  readonly material?: Readonly<Record<string, unknown>>;
  readonly mediaType?: string;
  /** Changes the payload after it was signed. */
  readonly tampered?: boolean;
}

const IN_TOTO = 'application/vnd.in-toto+json';

/** A Sigstore bundle v0.3 with a DSSE envelope around an in-toto statement about `digest`. */
export function sigstoreBundle({ privateKey }: SigningKey, digest: Digest, spec: BundleSpec = {}): SignatureDocument {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'reg.example/any', digest: { sha256: digest.slice('sha256:'.length) } }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
    ...spec.statement,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const payloadType = spec.payloadType ?? IN_TOTO;
  // DSSE protocol.md: what is signed is the pre-authentication encoding, not the payload alone.
  const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]);
  const sig = sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', encoded, privateKey);
  const shown = spec.tampered ? Buffer.from(payload.toString().replace('any', 'ALL')) : payload;
  const bundle = {
    mediaType: spec.mediaType ?? 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: spec.material ?? { publicKey: { hint: 'whatever' }, tlogEntries: [], timestampVerificationData: { rfc3161Timestamps: [] } },
    dsseEnvelope: { payload: shown.toString('base64'), payloadType, signatures: [{ sig: sig.toString('base64'), keyid: '' }] },
  };
  return { kind: 'bundle', bundle: Buffer.from(JSON.stringify(bundle)) };
}
