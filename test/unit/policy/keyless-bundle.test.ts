import { expect } from 'chai';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import { verifyKeylessBundle } from '../../../src/policy/keyless-bundle.ts';
import { parsePolicy } from '../../../src/policy/policy-file.ts';
import { compilePolicy } from '../../../src/policy/rule.ts';
import { judgeSignature, type SignatureOutcome } from '../../../src/policy/signature-rules.ts';
import { readTrustedRoot } from '../../../src/policy/trusted-root.ts';
import type { SignatureDocument } from '../../../src/registry/registry.ts';
import { signingKey, sigstoreBundle } from '../../support/cosign.ts';
import { keylessServices, type KeylessSpec, type LooseBundle } from '../../support/keyless.ts';
import { MemoryRegistry } from '../../support/memory-registry.ts';

type Services = Awaited<ReturnType<typeof keylessServices>>;

const DIGEST = digestOf('an image');
const OTHER = digestOf('another image');
const SUBJECT = 'https://code.example/team/tool/release.yml@refs/tags/*';
const ISSUER = 'https://issuer.example';

describe('keyless signatures', () => {
  let services: Services;
  let others: Services;
  before(async () => {
    services = await keylessServices();
    others = await keylessServices();
  });

  function isRight(document: SignatureDocument, { digest = DIGEST, issuer = ISSUER, subject = SUBJECT, root = services.trustedRoot } = {}): boolean {
    if (document.kind !== 'bundle') throw new Error('no bundle');
    return verifyKeylessBundle(document.bundle, digest, { trust: readTrustedRoot(root), issuer, subject });
  }

  it('are right by the identity that is trusted', async () => {
    expect(isRight(await services.bundle(DIGEST))).to.equal(true);
    expect(isRight(await services.bundle(DIGEST), { subject: SUBJECT.replace('*', 'v1') })).to.equal(true);
    expect(isRight(await services.bundle(DIGEST, { usedAfter: 9 }))).to.equal(true);
  });

  const identities: readonly (readonly [what: string, spec: KeylessSpec])[] = [
    ['another issuer', { issuer: 'https://issuer.evil.example' }],
    ['an issuer that only begins alike', { issuer: `${ISSUER}.evil.example` }],
    ['another subject', { subject: 'https://code.example/evil/tool/release.yml@refs/tags/v1' }],
    ['a subject that has ours in it', { subject: 'https://evil.example/?https://code.example/team/tool/release.yml@refs/tags/v1' }],
    ['a subject that ours taken for a regular expression would match', { subject: 'https://codeXexample/team/tool/release.yml@refs/tags/v1' }],
  ];
  for (const [what, spec] of identities) it(`are wrong by ${what}`, async () => expect(isRight(await services.bundle(DIGEST, spec))).to.equal(false));

  it('are wrong with a subject that only begins or ends as ours', async () => {
    const document = await services.bundle(DIGEST);
    for (const subject of ['https://code.example/team/tool/release.yml', 'release.yml@refs/tags/v1', 'https://code.example/team/*/release.yml']) {
      expect(isRight(document, { subject }), subject).to.equal(false);
    }
  });

  it('are wrong under another root, or one of whose parts is another', async () => {
    const document = await services.bundle(DIGEST);
    expect(isRight(document, { root: others.trustedRoot })).to.equal(false);
    const [ours, theirs] = [services.trustedRoot, others.trustedRoot].map((text) => JSON.parse(text) as Record<string, unknown>);
    for (const part of ['certificateAuthorities', 'tlogs', 'ctlogs']) {
      expect(isRight(document, { root: JSON.stringify({ ...ours, [part]: theirs?.[part] }) }), part).to.equal(false);
    }
    expect(isRight(document, { root: JSON.stringify({ ...ours, timestampAuthorities: theirs?.['certificateAuthorities'] }) })).to.equal(true);
  });

  const entry = (bundle: LooseBundle) => bundle.verificationMaterial.tlogEntries[0] as LooseBundle['verificationMaterial']['tlogEntries'][number];
  const bad: readonly (readonly [what: string, spec: KeylessSpec])[] = [
    ['by a certificate that had expired when it was used', { usedAfter: 11 }],
    ['by a certificate that was not yet valid when it was used', { usedAfter: -1 }],
    ['by a certificate that no log has seen', { unlogged: true }],
    ['by another key than the certificate\'s', { otherKey: true }],
    ['of another payload type', { payloadType: 'text/plain' }],
    ['of a report about the image', { statement: { predicateType: 'https://slsa.dev/provenance/v1' } }],
    ['of an older statement', { statement: { _type: 'https://in-toto.io/Statement/v0.1' } }],
    ['of nothing', { statement: { subject: [] } }],
    ['whose payload was changed afterwards', { spoil: tamper }],
    ['without an entry in the log', { spoil: (bundle) => (bundle.verificationMaterial.tlogEntries = []) }],
    ['without a proof of the entry', { spoil: (bundle) => (entry(bundle).inclusionProof = undefined) }],
    ['without a promise, which alone has the time', { spoil: (bundle) => (entry(bundle).inclusionPromise = undefined) }],
    ['with the time of the entry changed', { spoil: (bundle) => (entry(bundle).integratedTime = String(Number(entry(bundle).integratedTime) + 1)) }],
    ['with a promise for something else', { spoil: (bundle) => (entry(bundle).inclusionPromise = { signedEntryTimestamp: bundle.dsseEnvelope.signatures[0]?.sig ?? '' }) }],
    ['with a checkpoint of something else', { spoil: (bundle) => inCheckpoint(bundle, (text) => text.replace(/\n1\n/, '\n2\n')) }],
    ['with a timestamp that cannot be read', { spoil: (bundle) => bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps.push({ signedTimestamp: 'AAAA' }) }],
    ['with more entries than anybody needs', { spoil: (bundle) => (bundle.verificationMaterial.tlogEntries = Array.from({ length: 5 }, () => entry(bundle))) }],
    ['with a certificate that is none', { spoil: (bundle) => (bundle.verificationMaterial.certificate = { rawBytes: 'AAAA' }) }],
    ['with a key in the place of a certificate', { spoil: (bundle) => Object.assign(bundle.verificationMaterial, { certificate: undefined, publicKey: { hint: '' } }) }],
    ['with a chain in the place of a certificate', { spoil: chained }],
    ['in a bundle of another version', { spoil: (bundle) => (bundle.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2') }],
  ];
  for (const [what, spec] of bad) it(`are wrong ${what}`, async () => expect(isRight(await services.bundle(DIGEST, spec))).to.equal(false));

  it('are wrong about another image', async () => {
    expect(isRight(await services.bundle(OTHER))).to.equal(false);
  });

  it('are wrong with the log entry of another signature', async () => {
    let stolen: LooseBundle | undefined;
    await services.bundle(DIGEST, { spoil: (bundle) => (stolen = bundle) });
    const document = await services.bundle(DIGEST, { spoil: (bundle) => (bundle.verificationMaterial.tlogEntries = stolen?.verificationMaterial.tlogEntries ?? []) });
    expect(isRight(document)).to.equal(false);
  });

  it('never have a checkpoint\'s name run as a regular expression', async () => {
    const document = await services.bundle(DIGEST, { spoil: (bundle) => inCheckpoint(bundle, (text) => text.replace('\u2014 log.example ', '\u2014 (.+)+(.+)+(.+)+$^ ')) });
    expect(isRight(document)).to.equal(false);
    // What the library makes of a name: right, were it not refused before.
    const tame = await services.bundle(DIGEST, { spoil: (bundle) => inCheckpoint(bundle, (text) => text.replace('\u2014 log.example ', '\u2014 l[o]g.example ')) });
    expect(isRight(tame)).to.equal(false);
  });

  describe('in a rule', () => {
    const key = signingKey();
    const { signal } = new AbortController();

    async function judge(signature: object, sign: (digest: Digest) => Promise<SignatureDocument>, repository = 'reg.example/team/**'): Promise<SignatureOutcome> {
      const registry = new MemoryRegistry();
      const image = registry.put('reg.example/team/tool:1');
      registry.sign(image, image.manifestDigest, await sign(image.manifestDigest));
      const policy = compilePolicy(parsePolicy({
        keys: [{ name: 'k', publicKey: key.pem, repositories: ['reg.example/**'] }],
        identities: [{ name: 'release', trustedRoot: services.trustedRoot, issuer: ISSUER, subject: SUBJECT, repositories: [repository] }],
        rules: [{ name: 'r', images: ['reg.example/**'], signature }],
      }));
      const rule = policy.rules[0]?.signature;
      if (rule === undefined) throw new Error('no rule');
      return judgeSignature(image, rule, registry, { run: () => Promise.resolve(1) }, signal);
    }

    it('count by the name of the identity', async () => {
      expect((await judge({ mode: 'require', identities: ['release'] }, (digest) => services.bundle(digest))).signedBy).to.equal('release');
    });
    it('count beside keys, and keys beside them', async () => {
      const both = { mode: 'require', keys: ['k'], identities: ['release'] };
      expect((await judge(both, (digest) => services.bundle(digest))).signedBy).to.equal('release');
      expect((await judge(both, (digest) => Promise.resolve(sigstoreBundle(key, digest)))).signedBy).to.equal('k');
    });
    it('do not count where only keys do, nor keys where only they do', async () => {
      expect((await judge({ mode: 'require', keys: ['k'] }, (digest) => services.bundle(digest))).refusals[0]?.code).to.equal('image.signature');
      const { refusals } = await judge({ mode: 'require', identities: ['release'] }, (digest) => Promise.resolve(sigstoreBundle(key, digest)));
      expect(refusals[0]?.text).to.match(/none of the image's 1 signatures is right; sign sha256:\w+ as one of identity release/);
    });
    it('do not count in other repositories', async () => {
      const { refusals } = await judge({ mode: 'require', identities: ['release'] }, (digest) => services.bundle(digest), 'reg.example/other/**');
      expect(refusals[0]?.text).to.match(/none of those whose signatures this rule trusts \(identity release\)/);
    });
  });
});

function tamper(bundle: LooseBundle): void {
  bundle.dsseEnvelope.payload = Buffer.from(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString().replace('any', 'ALL')).toString('base64');
}

function inCheckpoint(bundle: LooseBundle, change: (text: string) => string): void {
  const checkpoint = bundle.verificationMaterial.tlogEntries[0]?.inclusionProof?.checkpoint;
  if (checkpoint === undefined) throw new Error('no checkpoint');
  const changed = change(checkpoint.envelope);
  if (changed === checkpoint.envelope) throw new Error('nothing was changed');
  checkpoint.envelope = changed;
}

function chained({ verificationMaterial }: LooseBundle): void {
  const { certificate } = verificationMaterial;
  if (certificate !== undefined) verificationMaterial.x509CertificateChain = { certificates: [certificate] };
  verificationMaterial.certificate = undefined;
}
