import { expect } from 'chai';
import { sign } from 'node:crypto';
import { GatewayError } from '../../../src/errors.ts';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import type { Image } from '../../../src/image/image.ts';
import { compilePolicy, type SignatureRule } from '../../../src/policy/rule.ts';
import { parsePolicy } from '../../../src/policy/policy-file.ts';
import { judgeSignature, type SignatureOutcome } from '../../../src/policy/signature-rules.ts';
import { ImageUnacceptable, type SignatureDocument } from '../../../src/registry/registry.ts';
import { signingKey, sigstoreBundle, simpleSigning, simpleSigningPayload } from '../../support/cosign.ts';
import { MemoryRegistry } from '../../support/memory-registry.ts';

const OURS = signingKey();
const THEIRS = signingKey();
const OTHER = digestOf('another image');
const { signal } = new AbortController();

function ruleOf(signature: object, publicKey = OURS.pem, repositories = ['reg.example/team/**']): SignatureRule {
  const keys = [{ name: 'ours', publicKey, repositories }];
  const policy = compilePolicy(parsePolicy({ keys, rules: [{ name: 'r', images: ['reg.example/**'], signature }] }));
  return policy.rules[0]?.signature as SignatureRule;
}

const REQUIRE = ruleOf({ mode: 'require', keys: ['ours'] });

describe('signatures', () => {
  let registry: MemoryRegistry;
  let image: Image;
  beforeEach(() => {
    registry = new MemoryRegistry();
    image = registry.put('reg.example/team/tool:1', { indexed: true });
  });

  const judge = (rule: SignatureRule, run = (): Promise<number> => Promise.resolve(0)): Promise<SignatureOutcome> =>
    judgeSignature(image, rule, registry, { run }, signal);

  async function refused(document: (digest: Digest) => SignatureDocument): Promise<boolean> {
    registry.sign(image, image.manifestDigest, document(image.manifestDigest));
    const { refusals, signedBy } = await judge(REQUIRE);
    expect(refusals.length === 0).to.equal(signedBy !== undefined);
    return refusals.length > 0;
  }

  const good: readonly (readonly [what: string, document: (digest: Digest) => SignatureDocument])[] = [
    ['a simple signature', (digest) => simpleSigning(OURS, simpleSigningPayload(digest))],
    ['a bundle', (digest) => sigstoreBundle(OURS, digest)],
    ['a bundle with a log entry and a timestamp that nobody can check here', (digest) => sigstoreBundle(OURS, digest, { material: WITH_LOG })],
    ['a bundle about several images', (digest) => sigstoreBundle(OURS, digest, { statement: { subject: [subject(OTHER), subject(digest)] } })],
  ];
  for (const [what, document] of good) it(`accept ${what}`, async () => expect(await refused(document)).to.equal(false));

  const bad: readonly (readonly [what: string, document: (digest: Digest) => SignatureDocument])[] = [
    ['another key', (digest) => simpleSigning(THEIRS, simpleSigningPayload(digest))],
    ['another image', () => simpleSigning(OURS, simpleSigningPayload(OTHER))],
    ['another kind of thing', (digest) => simpleSigning(OURS, simpleSigningPayload(digest, { type: 'atomic container signature' }))],
    ['something that is no JSON', () => simpleSigning(OURS, Buffer.from('hello'))],
    ['a payload changed afterwards', (digest) => ({ ...simpleSigning(OURS, simpleSigningPayload(OTHER)), payload: simpleSigningPayload(digest) })],
    ['nothing, with an empty signature', (digest) => ({ kind: 'simple-signing', payload: simpleSigningPayload(digest), signature: '' })],
    ['nothing, with a signature that is no base64', (digest) => ({ kind: 'simple-signing', payload: simpleSigningPayload(digest), signature: '!!!' })],
    ['a bundle of another key', (digest) => sigstoreBundle(THEIRS, digest)],
    ['a bundle about another image', () => sigstoreBundle(OURS, OTHER)],
    ['a bundle changed afterwards', (digest) => sigstoreBundle(OURS, digest, { tampered: true })],
    ['a bundle of another payload type', (digest) => sigstoreBundle(OURS, digest, { payloadType: 'text/plain' })],
    ['a report about the image', (digest) => sigstoreBundle(OURS, digest, { statement: { predicateType: 'https://slsa.dev/provenance/v1' } })],
    ['an older statement', (digest) => sigstoreBundle(OURS, digest, { statement: { _type: 'https://in-toto.io/Statement/v0.1' } })],
    ['a statement about nothing', (digest) => sigstoreBundle(OURS, digest, { statement: { subject: [] } })],
    ['a statement about the same digits of another algorithm', (digest) => sigstoreBundle(OURS, digest, { statement: { subject: [{ digest: { sha512: digest.slice(7) } }] } })],
    ['a bundle of another version', (digest) => sigstoreBundle(OURS, digest, { mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1' })],
    ['a bundle with a certificate', (digest) => sigstoreBundle(OURS, digest, { material: { certificate: { rawBytes: 'AAAA' }, tlogEntries: [] } })],
    ['a bundle without an envelope', () => ({ kind: 'bundle', bundle: Buffer.from('{}') })],
    ['a bundle that is no JSON', () => ({ kind: 'bundle', bundle: Buffer.from('{') })],
    ['a message signature in a bundle', (digest) => messageSignature(digest)],
  ];
  for (const [what, document] of bad) it(`refuse ${what}`, async () => expect(await refused(document)).to.equal(true));

  for (const kind of ['rsa', 'ed25519', 'p384'] as const) {
    it(`are checked with keys of kind ${kind}`, async () => {
      const [mine, foreign] = [signingKey(kind), signingKey(kind)];
      const rule = ruleOf({ mode: 'require', keys: ['ours'] }, mine.pem);
      registry.sign(image, image.manifestDigest, simpleSigning(foreign, simpleSigningPayload(image.manifestDigest)));
      registry.sign(image, image.manifestDigest, sigstoreBundle(foreign, image.manifestDigest));
      expect((await judge(rule)).refusals).to.have.length(1);
      registry.sign(image, image.manifestDigest, simpleSigning(mine, simpleSigningPayload(image.manifestDigest)));
      expect((await judge(rule)).signedBy).to.equal('ours');
    });
  }

  it("may be made with the curve's own hash", async () => {
    const key = signingKey('p384');
    registry.sign(image, image.manifestDigest, simpleSigning({ ...key, hash: 'sha384' }, simpleSigningPayload(image.manifestDigest)));
    expect((await judge(ruleOf({ mode: 'require', keys: ['ours'] }, key.pem))).signedBy).to.equal('ours');
  });

  it('may be of the index that led to the image', async () => {
    const index = image.indexDigest as Digest;
    registry.sign(image, index, simpleSigning(OURS, simpleSigningPayload(index)));
    expect((await judge(REQUIRE)).signedBy).to.equal('ours');
  });

  it('of the manifest do not count where they are attached to the index', async () => {
    registry.sign(image, image.indexDigest as Digest, simpleSigning(OURS, simpleSigningPayload(image.manifestDigest)));
    expect((await judge(REQUIRE)).refusals).to.have.length(1);
  });

  it('count only in the repositories of their key, and nobody is asked about others', async () => {
    registry.sign(image, image.manifestDigest, simpleSigning(OURS, simpleSigningPayload(image.manifestDigest)));
    const { refusals } = await judge(ruleOf({ mode: 'require', keys: ['ours'] }, OURS.pem, ['reg.example/other/**']));
    expect(refusals[0]?.text).to.match(/none of those whose signatures this rule trusts \(key ours\)/);
    expect(registry.asked).to.deep.equal([]);
  });

  it('are found among many that are wrong', async () => {
    for (let i = 0; i < 10; i += 1) registry.sign(image, image.manifestDigest, simpleSigning(THEIRS, simpleSigningPayload(image.manifestDigest)));
    registry.sign(image, image.manifestDigest, sigstoreBundle(OURS, image.manifestDigest));
    expect((await judge(REQUIRE)).signedBy).to.equal('ours');
  });

  describe('in the mode', () => {
    it('off are not asked for', async () => {
      expect(await judge(ruleOf({ mode: 'off', keys: ['ours'] }))).to.deep.equal({ refusals: [], warnings: [] });
      expect(registry.asked).to.deep.equal([]);
    });
    it('warn are missed with a warning', async () => {
      const { refusals, warnings } = await judge(ruleOf({ mode: 'warn', keys: ['ours'] }));
      expect([refusals.length, warnings[0]?.code]).to.deep.equal([0, 'image.signature']);
    });
    it('warn are not worth an outage', async () => {
      registry.takeDown('reg.example');
      expect((await judge(ruleOf({ mode: 'warn', keys: ['ours'] }))).warnings[0]?.text).to.match(/cannot be found out/);
    });
    it('require end an outage of the registry without a verdict', async () => {
      registry.takeDown('reg.example');
      const error = await judge(REQUIRE).then(() => undefined, (reason: unknown) => reason);
      expect(error instanceof GatewayError && error.code).to.equal('RegistryUnavailable');
    });
    it("require take the registry's no for a no", async () => {
      registry.failure = () => new ImageUnacceptable('image.malformed', 'too many signatures');
      expect((await judge(REQUIRE)).refusals[0]?.text).to.include('too many');
    });
  });

  describe('left to a program', () => {
    const rule = ruleOf({ mode: 'require', verifier: { command: ['/bin/verify', '--image={image}', '--', '{image}'], timeout: '5s' } });
    it('give it the image by digest, and its time', async () => {
      let given: unknown[] = [];
      const outcome = await judgeSignature(image, rule, registry, { run: async (...all) => ((given = all), 0) }, signal);
      const pinned = `reg.example/team/tool@${image.indexDigest ?? ''}`;
      expect(given.slice(0, 2)).to.deep.equal([['/bin/verify', `--image=${pinned}`, '--', pinned], 5000]);
      expect(outcome.signedBy).to.equal('/bin/verify');
    });
    it('are refused by any other exit code', async () => expect((await judge(rule, () => Promise.resolve(7))).refusals[0]?.text).to.include('exit code 7'));
    it('end without a verdict when it cannot answer', async () => {
      const run = (): Promise<number> => Promise.reject(new GatewayError('Unavailable', 'no answer'));
      expect(await judge(rule, run).then(() => 'verdict', (error: unknown) => (error as GatewayError).code)).to.equal('Unavailable');
    });
  });
});

function subject(digest: Digest): object {
  return { name: 'x', digest: { sha256: digest.slice('sha256:'.length) } };
}

/** What cosign v3 leaves when it signs with a key and uploads to a log. */
const WITH_LOG = {
  publicKey: { hint: 'x' },
  tlogEntries: [
    {
      logIndex: '1',
      logId: { keyId: 'AAAA' },
      kindVersion: { kind: 'dsse', version: '0.0.1' },
      integratedTime: '1700000000',
      inclusionProof: { logIndex: '1', rootHash: 'AAAA', treeSize: '2', hashes: [], checkpoint: { envelope: 'x' } },
      canonicalizedBody: 'AAAA',
    },
  ],
  timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: 'AAAA' }] },
};

function messageSignature(digest: Digest): SignatureDocument {
  const raw = Buffer.from(digest.slice('sha256:'.length), 'hex');
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: '' }, tlogEntries: [] },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: raw.toString('base64') }, signature: sign('sha256', raw, OURS.privateKey).toString('base64') },
  };
  return { kind: 'bundle', bundle: Buffer.from(JSON.stringify(bundle)) };
}

