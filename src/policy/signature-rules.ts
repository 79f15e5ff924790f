import { GatewayError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import { pinnedReference } from '../image/reference.ts';
import { ImageUnacceptable, type Registry, type SignatureDocument } from '../registry/registry.ts';
import type { ExternalVerifier } from './external-verifier.ts';
import { verifyKeylessBundle } from './keyless-bundle.ts';
import type { ExternalVerification, SignatureRule, TrustedSigner } from './rule.ts';
import { verifySigstoreBundle } from './sigstore-bundle.ts';
import { verifySimpleSigning } from './simple-signing.ts';
import type { Finding } from './verdict.ts';

/** What came of the signature rule; a mode of `warn` turns a refusal, and an outage, into a warning. */
export interface SignatureOutcome {
  /** Name of the key or identity whose signature was found, or the verifier's program. */
  readonly signedBy?: string;
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
}

const NOTHING: SignatureOutcome = { refusals: [], warnings: [] };

/**
 * Whether the image is signed as the rule asks. Throws RegistryUnavailable, RegistryInvalid or Unavailable where a required
 * signature cannot be looked for.
 */
export async function judgeSignature(
  image: Image,
  rule: SignatureRule,
  registry: Registry,
  verifier: ExternalVerifier,
  signal: AbortSignal,
): Promise<SignatureOutcome> {
  if (rule.mode === 'off') return NOTHING;
  try {
    const found = rule.verifier === undefined ? await signedBySigner(image, rule.signers, registry, signal) : await signedByProgram(image, rule.verifier, verifier, signal);
    if (typeof found === 'string') return { ...NOTHING, signedBy: found };
    return rule.mode === 'require' ? { refusals: [found], warnings: [] } : { refusals: [], warnings: [found] };
  } catch (error) {
    if (rule.mode === 'require' || signal.aborted || !(error instanceof GatewayError)) throw error;
    return { refusals: [], warnings: [refusal(`whether the image is signed cannot be found out at present: ${error.message}`)] };
  }
}

/**
 * Name of a key or identity that has signed the image. The signature may be of the platform's manifest or of the index that led to it:
 * the verified index contains the manifest's digest.
 */
async function signedBySigner(image: Image, signers: readonly TrustedSigner[], registry: Registry, signal: AbortSignal): Promise<string | Finding> {
  const trusted = signers.filter(({ repositories }) => repositories.some((pattern) => pattern.matches(image.reference)));
  if (trusted.length === 0) return refusal(`none of those whose signatures this rule trusts (${namesOf(signers)}) is for the repository of this image`);
  const digests = [image.indexDigest, image.manifestDigest].filter((digest) => digest !== undefined);
  let claimed = 0;
  try {
    for (const digest of digests) {
      const documents = await registry.signatures(image.reference, digest, signal);
      claimed += documents.length;
      const signer = trusted.find((each) => documents.some((document) => isSignedBy(document, digest, each)));
      if (signer !== undefined) return signer.name;
    }
  } catch (error) {
    if (error instanceof ImageUnacceptable) return refusal(error.message);
    throw error;
  }
  const found = claimed === 0 ? 'the image has no signature' : `none of the image's ${String(claimed)} signatures is right`;
  return refusal(`${found}; sign ${image.indexDigest ?? image.manifestDigest} as one of ${namesOf(trusted)}`);
}

function isSignedBy(document: SignatureDocument, digest: Digest, signer: TrustedSigner): boolean {
  // Without keys, only bundles prove when the certificate was used.
  if ('identity' in signer) return document.kind === 'bundle' && verifyKeylessBundle(document.bundle, digest, signer.identity);
  return document.kind === 'bundle'
    ? verifySigstoreBundle(document.bundle, digest, signer.key)
    : verifySimpleSigning(document.payload, document.signature, digest, signer.key);
}

function namesOf(signers: readonly TrustedSigner[]): string {
  return signers.map((signer) => ('identity' in signer ? `identity ${signer.name}` : `key ${signer.name}`)).join(', ');
}

async function signedByProgram(image: Image, { command, timeout }: ExternalVerification, verifier: ExternalVerifier, signal: AbortSignal): Promise<string | Finding> {
  // The index where there is one: that is what people sign. It was verified to contain this manifest.
  const pinned = pinnedReference(image.reference, image.indexDigest ?? image.manifestDigest);
  const words = command.map((word) => word.replaceAll('{image}', pinned));
  const code = await verifier.run(words, timeout, signal);
  if (code === 0) return command[0] ?? '';
  return refusal(`the signature verifier of this site does not accept ${pinned} (exit code ${String(code)})`);
}

function refusal(text: string): Finding {
  return { code: 'image.signature', path: 'image', text };
}
