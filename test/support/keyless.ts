import { createHash, generateKeyPairSync, type KeyPairKeyObjectResult, sign } from 'node:crypto';
import { HashAlgorithm, PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
// Not the package's entrance: that loads nock, which replaces node:http for every test in the process.
import { initializeCA } from '@sigstore/mock/dist/fulcio/ca.js';
import { initializeTLog } from '@sigstore/mock/dist/rekor/tlog.js';
import { z } from 'zod';
import type { Digest } from '../../src/image/digest.ts';
import type { SignatureDocument } from '../../src/registry/registry.ts';

/** Fulcio's extension for the OpenID provider (fulcio docs/oid-info.md). */
const ISSUER = '1.3.6.1.4.1.57264.1.8';
const IN_TOTO = 'application/vnd.in-toto+json';
const MINUTE = 60_000;
const LOG = 'https://log.example';

/** How a keyless signature is made; absent = by the book. */
export interface KeylessSpec {
  readonly issuer?: string;
  readonly subject?: string;
  /** Minutes between the certificate, good for ten, and its use. */
  readonly usedAfter?: number;
  /** Without a log of certificates. */
  readonly unlogged?: boolean;
  readonly statement?: Readonly<Record<string, unknown>>;
  readonly payloadType?: string;
  /** Signs with another key than the certificate's. */
  readonly otherKey?: boolean;
  /** Changes the bundle when all is done. */
  readonly spoil?: (bundle: LooseBundle) => void;
}

/** A bundle's JSON, as far as tests spoil it. */
export type LooseBundle = ReturnType<typeof assemble>;

const keyPair = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const logEntry = z.record(
  z.string(),
  z.object({
    body: z.string(), integratedTime: z.number(), logID: z.string(), logIndex: z.number(),
    verification: z.object({
      signedEntryTimestamp: z.string(),
      inclusionProof: z.object({ checkpoint: z.string(), hashes: z.array(z.string()), logIndex: z.number(), rootHash: z.string(), treeSize: z.number() }),
    }),
  }),
);

/**
 * Sigstore's services in memory: the authority and the log of signatures are sigstore-js's own mock of them, not our code. Certificates are
 * used a minute after the root was made.
 */
export async function keylessServices() {
  const [authorityKeys, certificateLogKeys, logKeys] = [keyPair('P-384'), keyPair(), keyPair()];
  const start = new Date();
  const now = new Date(start.getTime() + MINUTE);
  const ctlog = certificateLog(certificateLogKeys, now);
  const authority = await initializeCA(authorityKeys, ctlog, now);
  // The same key, but the certificates of this one are in no log.
  const unlogging = await initializeCA(authorityKeys, undefined, now);
  const tlogAt = (minutes: number) => initializeTLog(LOG, logKeys, new Date(now.getTime() + minutes * MINUTE));
  const log = (url: string, publicKey: Buffer) => ({
    baseUrl: url,
    hashAlgorithm: HashAlgorithm.SHA2_256,
    publicKey: { rawBytes: publicKey, keyDetails: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256, validFor: { start } },
    logId: { keyId: createHash('sha256').update(publicKey).digest() },
    checkpointKeyId: undefined,
    operator: 'test',
  });
  const chain = (root: Buffer) => ({ subject: undefined, uri: '', certChain: { certificates: [{ rawBytes: root }] }, validFor: { start }, operator: 'test' });

  /** A bundle v0.3 in which somebody signs `digest` as an image. */
  async function bundle(digest: Digest, spec: KeylessSpec = {}): Promise<SignatureDocument> {
    const signer = keyPair();
    const certificate = await (spec.unlogged ? unlogging : authority).issueCertificate({
      publicKey: signer.publicKey.export({ type: 'spki', format: 'der' }),
      subjectAltName: spec.subject ?? 'https://code.example/team/tool/release.yml@refs/tags/v1',
      extensions: [{ oid: ISSUER, value: spec.issuer ?? 'https://issuer.example' }],
    });
    const payloadType = spec.payloadType ?? IN_TOTO;
    const payload = Buffer.from(JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'reg.example/any', digest: { sha256: digest.slice('sha256:'.length) } }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
      ...spec.statement,
    }));
    const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${String(payloadType.length)} ${payloadType} ${String(payload.length)} `), payload]);
    const signature = sign('sha256', encoded, (spec.otherKey ? keyPair() : signer).privateKey);
    const proposed = {
      apiVersion: '0.0.1',
      kind: 'dsse',
      spec: { payloadHash: { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') }, signatures: [{ signature: signature.toString('base64') }] },
    };
    const logged: unknown = await (await tlogAt(spec.usedAfter ?? 1)).log(proposed);
    const whole = assemble(certificate, payload, payloadType, signature, logged);
    spec.spoil?.(whole);
    return { kind: 'bundle', bundle: Buffer.from(JSON.stringify(whole)) };
  }

  return {
    bundle,
    /** `trusted_root.json` of these services. */
    trustedRoot: JSON.stringify(TrustedRoot.toJSON({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      certificateAuthorities: [chain(authority.rootCertificate), chain(unlogging.rootCertificate)],
      ctlogs: [log('https://certificates.example', ctlog.publicKey)],
      tlogs: [log(LOG, (await tlogAt(0)).publicKey)],
      timestampAuthorities: [],
    })),
  };
}

/**
 * A log of certificates (RFC 6962 §3.2, §3.3): what the authority puts into them. The mock's own leaves its signatures empty with
 * the asn1js of today.
 */
function certificateLog({ publicKey: key, privateKey }: KeyPairKeyObjectResult, now: Date) {
  const publicKey = key.export({ type: 'spki', format: 'der' });
  const logID = createHash('sha256').update(publicKey).digest();
  const uint = (value: number, size: number): Buffer => Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
  const log = (certificate: ArrayBuffer, issuer: ArrayBuffer): Promise<ArrayBuffer> => {
    const tbs = firstElement(Buffer.from(certificate));
    const time = uint(now.getTime(), 8);
    // v1, certificate_timestamp, the time, precert_entry, the issuer's key, the certificate, no extensions.
    const signed = Buffer.concat([uint(0, 2), time, uint(1, 2), Buffer.from(issuer), uint(tbs.length, 3), tbs, uint(0, 2)]);
    const signature = sign('sha256', signed, privateKey);
    // 4, 3: SHA-256 with ECDSA.
    const sct = Buffer.concat([uint(0, 1), logID, time, uint(0, 2), Buffer.from([4, 3]), uint(signature.length, 2), signature]);
    return Promise.resolve(new Uint8Array(Buffer.concat([uint(sct.length, 2), sct])).buffer);
  };
  return { publicKey, logID, log };
}

/** The first element of a DER sequence longer than 255 bytes: of a certificate, what is signed in it. */
function firstElement(sequence: Buffer): Buffer {
  const inner = sequence.subarray(4);
  return inner.subarray(0, 4 + inner.readUInt16BE(2));
}

function assemble(certificate: Buffer, payload: Buffer, payloadType: string, signature: Buffer, logged: unknown) {
  const [entry] = Object.values(logEntry.parse(logged));
  if (entry === undefined) throw new Error('the log has made no entry');
  const { inclusionProof, signedEntryTimestamp } = entry.verification;
  const tlogEntry = {
    logIndex: String(entry.logIndex),
    logId: { keyId: Buffer.from(entry.logID, 'hex').toString('base64') },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp } as { signedEntryTimestamp: string } | undefined,
    inclusionProof: {
      logIndex: String(inclusionProof.logIndex),
      rootHash: Buffer.from(inclusionProof.rootHash, 'hex').toString('base64'),
      treeSize: String(inclusionProof.treeSize),
      hashes: inclusionProof.hashes,
      checkpoint: { envelope: inclusionProof.checkpoint },
    } as { logIndex: string; rootHash: string; treeSize: string; hashes: string[]; checkpoint: { envelope: string } } | undefined,
    canonicalizedBody: entry.body,
  };
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      certificate: { rawBytes: certificate.toString('base64') } as { rawBytes: string } | undefined,
      publicKey: undefined as { hint: string } | undefined,
      x509CertificateChain: undefined as { certificates: { rawBytes: string }[] } | undefined,
      tlogEntries: [tlogEntry],
      timestampVerificationData: { rfc3161Timestamps: [] as { signedTimestamp: string }[] },
    },
    dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [{ sig: signature.toString('base64'), keyid: '' }] },
  };
}
