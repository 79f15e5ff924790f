import { createPublicKey, type KeyObject } from 'node:crypto';

/** Smallest RSA key that is still trusted (bits; NIST SP 800-131A). */
const MIN_RSA = 2048;
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** A public key in PEM: ECDSA on a NIST curve, RSA or Ed25519. Throws an Error with a message for the operator. */
export function readPublicKey(pem: string): KeyObject {
  const problem = publicKeyProblem(pem);
  if (problem !== undefined) throw new Error(problem);
  return createPublicKey(pem);
}

/** What is wrong with `pem` as a key that signatures are checked with; undefined = nothing. */
export function publicKeyProblem(pem: string): string | undefined {
  // createPublicKey would take a private key too, which has no business in a policy.
  if (!/^-----BEGIN (?:RSA )?PUBLIC KEY-----/m.test(pem) || /PRIVATE/.test(pem)) return 'must be a public key in PEM (-----BEGIN PUBLIC KEY-----)';
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return 'is not a public key that can be read';
  }
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return CURVES.has(namedCurve) ? undefined : 'must be on the curve P-256, P-384 or P-521';
  if (key.asymmetricKeyType === 'rsa') return (modulusLength ?? 0) >= MIN_RSA ? undefined : `an RSA key must have ${String(MIN_RSA)} bits at least`;
  return key.asymmetricKeyType === 'ed25519' ? undefined : 'must be an ECDSA, RSA or Ed25519 key';
}
