import { expect } from 'chai';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPolicyFile, parsePolicyText, PolicyInvalid } from '../../../src/policy/policy-file.ts';
import { policyJsonSchema } from '../../../src/policy/policy-schema.ts';
import { compilePolicy } from '../../../src/policy/rule.ts';
import { policyWarnings } from '../../../src/policy/policy-warnings.ts';
import { keylessServices } from '../../support/keyless.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** Problems as `path: message`. */
function problems(yaml: string): string[] {
  try {
    parsePolicyText(yaml);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyInvalid)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

const rule = (more: string): string => `rules: [{name: r, images: ["a.b/c"], ${more}}]`;

/** The rest of an identity. */
const WHO = 'issuer: "https://login.b.c", subject: "a@b.c", repositories: ["a.b/**"]';
const EMPTY_ROOT = JSON.stringify({ mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' });

describe('the policy file', () => {
  it('reports every problem at once, each with its path', () => {
    const found = problems(`
bases:
  - {name: a, image: "UP/x"}
  - {name: a, image: "a.b/c", maxAge: soon}
keys: [{name: k, repositories: ["a.b/c:1"]}]
revoked: [sha256:123]
surprise: 1
rules:
  - {name: one, images: ["x"], limts: {cores: 2}, base: [nope]}
  - {name: one, images: [], deny: no, run: {user: root}}
  - {name: all, images: ["**"]}
`);
    expect(found.map((problem) => problem.split(':')[0])).to.have.members([
      'bases[0].image', 'bases[1].maxAge', 'bases[1].name', 'keys[0]', 'keys[0].repositories[0]', 'revoked[0]', 'surprise',
      'rules[0].images[0]', 'rules[0].limts', 'rules[0].base[0]', 'rules[1].name', 'rules[1].images', 'rules[1].run.user', 'rules[1].run', 'rules[2]',
    ]);
  });

  const wrong: readonly (readonly [what: string, yaml: string, path: string, says: RegExp])[] = [
    ['nothing at all', '', '', /input is empty/],
    ['no rules', 'bases: []', 'rules', /expected array/],
    ['broken YAML', 'rules: [', '', /line 1/],
    ['a key twice', 'rules: []\nrules: []', '', /line 2: duplicated/],
    ['a merge key', 'x: &x {}\n<<: *x\nrules: []', '<<', /not a key/],
    ['a rule called none', 'rules: [{name: none, images: ["a.b/c"]}]', 'rules[0].name', /cannot be called/],
    ['a name with a newline', 'rules: [{name: "a\\nb", images: ["a.b/c"]}]', 'rules[0].name', /a name has/],
    ['a host without a dot', 'rules: [{name: r, images: ["demo/*"]}]', 'rules[0].images[0]', /must begin with a registry host/],
    ['a bare size', rule('config: {maxSize: "100"}'), 'rules[0].config.maxSize', /size with its unit/],
    ['a duration of nothing', rule('config: {maxAge: 0d}'), 'rules[0].config.maxAge', /duration/],
    ['an unknown entrypoint word', rule('config: {entrypoint: maybe}'), 'rules[0].config.entrypoint', /must be any, none/],
    ['as-base without a base', rule('config: {command: as-base}'), 'rules[0].config.command', /needs a rule that asks for a base/],
    ['a variable pattern with a dash', rule('config: {environment: {allow: [A-B]}}'), 'rules[0].config.environment.allow[0]', /name of a variable/],
    ['cores of nothing', rule('limits: {cores: 0}'), 'rules[0].limits.cores', /Too small|expected/],
    ['a user by name', rule('run: {user: app}'), 'rules[0].run.user', /uid:gid/],
    ['a capability that reaches the host', rule('run: {user: "0:0", capabilities: [SYS_ADMIN]}'), 'rules[0].run.capabilities[0]', /expected one of/],
    ['capabilities for who is not root', rule('run: {user: "1000:0", capabilities: [CHOWN]}'), 'rules[0].run.capabilities', /not root/],
    ["capabilities for the site's user", rule('run: {capabilities: [CHOWN]}'), 'rules[0].run.capabilities', /not root/],
    ['root of the host for who is not root', rule('run: {user: "1000:0", hostRoot: true}'), 'rules[0].run.hostRoot', /not root/],
    ['a network by its name on the engine', rule('run: {network: "pratique_data"}'), 'rules[0].run.network', /lower-case/],
    ['a root that is not writable', rule('run: {writableRoot: false}'), 'rules[0].run.writableRoot', /expected true/],
    ['a required signature by nobody', rule('signature: {mode: require}'), 'rules[0].signature', /either keys or identities, or a verifier/],
    ['a signature by an unknown key', rule('signature: {mode: warn, keys: [k]}'), 'rules[0].signature.keys[0]', /there is no key/],
    ['a verifier to be searched for', rule('signature: {mode: warn, verifier: {command: [notation, "{image}"]}}'), 'rules[0].signature.verifier.command[0]', /absolute/],
    ['a verifier that is not told what', rule('signature: {mode: warn, verifier: {command: [/bin/true]}}'), 'rules[0].signature.verifier.command', /\{image\}/],
    ['an unrestricted rule that is none', rule('unrestricted: true'), 'rules[0].unrestricted', /wrong here/],
    ['unrestricted: false', rule('unrestricted: false'), 'rules[0].unrestricted', /expected true/],
    ['everything by tag', 'rules: [{name: r, images: ["**:stable"]}]', 'rules[0]', /unrestricted: true/],
    ['a signature by an unknown identity', rule('signature: {mode: warn, identities: [i]}'), 'rules[0].signature.identities[0]', /there is no identity/],
    ['an identity without a root', `identities: [{name: i, ${WHO}}]\nrules: []`, 'identities[0]', /either trustedRoot or/],
    ['a root that is none', `identities: [{name: i, trustedRoot: "{}", ${WHO}}]\nrules: []`, 'identities[0].trustedRoot', /must be a Sigstore trusted root/],
    ['a root that is no JSON', `identities: [{name: i, trustedRoot: hello, ${WHO}}]\nrules: []`, 'identities[0].trustedRoot', /is not a Sigstore trusted root/],
    ['an empty root', `identities: [{name: i, trustedRoot: '${EMPTY_ROOT}', ${WHO}}]\nrules: []`, 'identities[0].trustedRoot', /no certificate authorities/],
    ['every subject there is', `identities: [{name: i, trustedRootFile: r, ${WHO.replace('a@b.c', '**')}}]\nrules: []`, 'identities[0].subject', /not every name/],
    ['an issuer with a wildcard', `identities: [{name: i, trustedRootFile: r, ${WHO.replace('login.b.c', '*.b.c')}}]\nrules: []`, 'identities[0].issuer', /without "\*"/],
    ['an identity for a tag', `identities: [{name: i, trustedRootFile: r, ${WHO.replace('/**', '/c:1')}}]\nrules: []`, 'identities[0].repositories[0]', /without a tag/],
    ['a key in neither way', 'keys: [{name: k, repositories: ["a.b/**"]}]\nrules: []', 'keys[0]', /either publicKey/],
    ['a key that is none', 'keys: [{name: k, publicKey: hello, repositories: ["a.b/**"]}]\nrules: []', 'keys[0].publicKey', /public key in PEM/],
    ['one image approved twice', 'bases: [{name: a, image: "docker.io/library/x"}, {name: b, image: "x:latest"}]\nrules: []', 'bases[1].image', /bases\[0\] already/],
    ['an age for a digest', `bases: [{name: b, image: "a.b/c@${DIGEST}", maxAge: 1d}]\nrules: []`, 'bases[0].maxAge', /never changes/],
    ['anchors without end', `a: &a [1]\nrules: [${'*a, '.repeat(200)}]`, '', /alias/i],
    ['depth without end', `rules: ${'['.repeat(100)}`, '', /depth/i],
  ];
  for (const [what, yaml, path, says] of wrong) {
    it(`refuses ${what}`, () => {
      const found = problems(yaml);
      expect(found.some((problem) => problem.startsWith(`${path}: `) && says.test(problem)), found.join('\n')).to.equal(true);
    });
  }

  it('refuses a private key', () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(problems(JSON.stringify({ keys: [{ name: 'k', publicKey: pem, repositories: ['a.b/c'] }], rules: [] }))).to.match(/public key in PEM/);
  });

  it('refuses a small RSA key and an unusual curve', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const policy = (publicKey: string): string => JSON.stringify({ keys: [{ name: 'k', publicKey, repositories: ['a.b/c'] }], rules: [] });
    expect(problems(policy(rsa))).to.match(/2048 bits/);
    expect(problems(policy(curve))).to.match(/P-256/);
  });

  it('accepts a complete policy', () => {
    expect(
      problems(
        JSON.stringify({
          bases: [{ name: 'b', image: 'a.b/base:1', maxAge: '90d' }],
          keys: [{ name: 'k', publicKey: PEM, repositories: ['a.b/**'] }],
          revoked: [DIGEST],
          rules: [
            { name: 'deny', images: ['**:latest'], deny: 'use a version' },
            {
              name: 'all', images: ['**'], groups: ['g'], base: ['b'], signature: { mode: 'require', keys: ['k'] }, run: { user: 'image' }, limits: { cores: 0.5, memory: '1G' },
              config: { user: 'numeric-non-root', environment: { allow: ['PATH'], deny: ['*_PROXY'] }, entrypoint: [['/bin/x', '-y']], command: 'as-base', entrypointOrCommand: 'required', volumes: ['/data'], ports: 'none', healthcheck: 'none', labels: { required: { a: '*' }, forbidden: ['b.*'] }, maxSize: '2G', maxAge: '365d', maxLayers: 50, architectures: ['amd64'] },
            },
            { name: 'any', images: ['**'], unrestricted: true },
          ],
        }),
      ),
    ).to.deep.equal([]);
  });

  it('has a JSON Schema that knows the same keys', () => {
    const schema = JSON.stringify(policyJsonSchema());
    for (const key of ['bases', 'revoked', 'rules', 'numeric-non-root', 'publicKeyFile', 'additionalProperties":false']) expect(schema).to.include(key);
  });
});

describe('the hash of a policy', () => {
  const hash = (yaml: string): string => compilePolicy(parsePolicyText(yaml)).hash;
  it('is the same for the same policy written differently', () => {
    expect(hash('rules: [{name: r, images: ["a.b/c"]}]')).to.equal(hash('# a comment\nrules:\n  - images:\n      - a.b/c\n    name: r\n'));
  });
  it('is the same for labels in another order', () => {
    const labelled = (labels: string): string => `rules: [{name: r, images: ["a.b/c"], config: {labels: {required: {${labels}}}}}]`;
    expect(hash(labelled('a: "1", b: "2"'))).to.equal(hash(labelled('b: "2", a: "1"')));
    expect(hash(labelled('a: "1", b: "2"'))).not.to.equal(hash(labelled('a: "2", b: "1"')));
  });
  it('changes with the order of the rules', () => {
    const [one, two] = ['{name: a, images: ["a.b/c"]}', '{name: b, images: ["a.b/d"]}'];
    expect(hash(`rules: [${one}, ${two}]`)).not.to.equal(hash(`rules: [${two}, ${one}]`));
  });
});

describe('key files', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'pratique-policy-'))));
  afterEach(() => rm(directory, { recursive: true }));
  const policy = 'keys: [{name: k, publicKeyFile: keys.pem, repositories: ["a.b/**"]}]\nrules: []';

  it('are read beside the policy, and their content is part of its hash', async () => {
    const file = join(directory, 'policy.yaml');
    await writeFile(file, policy);
    await writeFile(join(directory, 'keys.pem'), PEM);
    const first = compilePolicy(await loadPolicyFile(file)).hash;
    await writeFile(join(directory, 'keys.pem'), generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));
    expect(compilePolicy(await loadPolicyFile(file)).hash).not.to.equal(first);
  });

  for (const [what, content] of [['missing', undefined], ['no key', 'hello'], ['huge', 'x'.repeat(100_000)]] as const) {
    it(`are refused when ${what}`, async () => {
      const file = join(directory, 'policy.yaml');
      await writeFile(file, policy);
      if (content !== undefined) await writeFile(join(directory, 'keys.pem'), content);
      const error = await loadPolicyFile(file).then(() => undefined, (reason: unknown) => reason);
      expect(error).to.be.instanceOf(PolicyInvalid);
      expect(String(error)).to.include('keys[0].publicKeyFile');
    });
  }
});

describe('trusted root files', () => {
  it('are read beside the policy, and refused when they are none', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pratique-policy-'));
    try {
      const file = join(directory, 'policy.yaml');
      await writeFile(file, `identities: [{name: i, trustedRootFile: root.json, ${WHO}}]\nrules: []`);
      for (const content of [EMPTY_ROOT, 'x'.repeat(300_000)]) {
        await writeFile(join(directory, 'root.json'), content);
        expect(String(await loadPolicyFile(file).catch((reason: unknown) => reason))).to.match(/identities\[0\]\.trustedRootFile: (?:has no certificate|is larger)/);
      }
      const { trustedRoot } = await keylessServices();
      await writeFile(join(directory, 'root.json'), trustedRoot);
      expect((await loadPolicyFile(file)).identities).to.have.nested.property('[0].trustedRoot', trustedRoot);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('warnings about a policy', () => {
  const warnings = (yaml: string): string => policyWarnings(compilePolicy(parsePolicyText(yaml))).join('\n');
  const table: readonly (readonly [what: string, yaml: string, says: string])[] = [
    ['that accepts nothing', 'rules: []', 'accepts nothing'],
    ['that only refuses', 'rules: [{name: r, images: ["**"], deny: no}]', 'accepts nothing'],
    ['that accepts everything', 'rules: [{name: r, images: ["**"], unrestricted: true}]', 'every image of every registry'],
    ['that accepts everything public', 'rules: [{name: r, images: ["docker.io/**"]}]', 'docker.io, where anybody can publish'],
    ['that runs as root', rule('run: {user: "0:0"}'), 'as root'],
    ['that runs as root of the host', rule('run: {user: "0:0", hostRoot: true}'), 'root of the host (run.hostRoot)'],
    ["that runs in root's group", rule('run: {user: "1000:0"}'), "root's group"],
    ['that gives capabilities', rule('run: {user: "0:0", capabilities: [CHOWN]}'), 'capabilities: CHOWN'],
    ['that gives a network', rule('run: {network: archives}'), 'network profile archives'],
    ['that gives a root file system', rule('run: {writableRoot: true}'), 'write their root file system'],
    ['with a rule that never decides', 'rules: [{name: a, images: ["**"], deny: no}, {name: b, images: ["a.b/c"]}]', 'rule "b" never decides'],
    ['with a base for nothing', 'bases: [{name: b, image: "a.b/c"}]\nrules: []', 'base "b" is approved, but'],
  ];
  for (const [what, yaml, says] of table) it(`tell of one ${what}`, () => expect(warnings(yaml)).to.include(says));

  it('are silent about one that restricts', () => {
    expect(warnings('bases: [{name: b, image: "a.b/c"}]\nrules: [{name: n, images: ["**:latest"], deny: no}, {name: r, images: ["docker.io/**"], base: [b], run: {user: "1000:100"}}]')).to.equal('');
  });
});
