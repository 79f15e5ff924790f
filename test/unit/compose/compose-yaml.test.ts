import { expect } from 'chai';
import { formatPath } from '../../../src/compose/compose-problem.ts';
import { ComposeUnreadable } from '../../../src/compose/compose-problem.ts';
import type { ComposeNode } from '../../../src/compose/compose-node.ts';
import { MAX_BYTES, readComposeYaml } from '../../../src/compose/compose-yaml.ts';

function problem(text: string): string {
  try {
    readComposeYaml(text);
    return 'read';
  } catch (error) {
    if (!(error instanceof ComposeUnreadable)) throw error;
    const [first] = error.problems;
    return `${String(first?.line)}: ${first?.text ?? ''}`;
  }
}

/** `path@line=value` of every scalar. */
function scalars(node: ComposeNode): string[] {
  if (node.kind === 'scalar') return [`${formatPath(node.path)}@${String(node.line)}=${String(node.value)}`];
  return (node.kind === 'list' ? [...node.items] : [...node.entries.values()]).flatMap(scalars);
}

const bomb = `x0: &a0 [x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 9 }, (_, i) => `x${String(i + 1)}: &a${String(i + 1)} [${Array.from({ length: 9 }, () => `*a${String(i)}`).join()}]`).join('\n')}\nservices: {}`;

const REFUSED: readonly (readonly [what: string, text: string, said: RegExp])[] = [
  ['nothing', '', /empty/],
  ['a text', 'services', /must be a mapping/],
  ['a list', '- services', /must be a mapping/],
  ['two documents', 'a: 1\n---\nb: 2', /several documents/],
  ['a key twice', 'services: {}\nservices: {}', /^2: .*duplicated/],
  ['a key twice, one of them quoted', 'services: {a: 1, "a": 2}', /duplicated/],
  ['a key that is a number', 'services:\n  1: {}', /^2: services has a key that is not text/],
  ['a key that is a list', '? [a]\n: b', /^0?1?: .*key that is not text|has a key that is not text/],
  ['a key that is null', '~: b', /not text/],
  ['an alias without its anchor', 'a: *b', /unidentified alias|undefined|unknown/i],
  ['an alias of what contains it', 'services: &a\n  web: *a', /^2: services\.web refers to something that contains it/],
  ['an alias of a list that contains it', 'a: &a [*a]', /refers to something that contains it/],
  ['an alias bomb', bomb, /more than 20000 values/],
  ['a hundred and one aliases', `a: &a 1\nb: [${Array.from({ length: 101 }, () => '*a').join()}]`, /alias/i],
  ['what is deep', `a: ${'['.repeat(20_000)}`, /depth|maxDepth|not YAML/i],
  ['what is deep by flow mappings', `${'{a: '.repeat(40)}1${'}'.repeat(40)}`, /depth|maxDepth|not YAML/i],
  ['what is deep by aliases', `a0: &a0 {x: 1}\n${Array.from({ length: 40 }, (_, i) => `a${String(i + 1)}: &a${String(i + 1)} {x: *a${String(i)}}`).join('\n')}`, /nested deeper than 32/],
  ['what is large', `a: "${'x'.repeat(MAX_BYTES)}"`, /larger than 262144 bytes/],
  ['many merges', `a: &a {${Array.from({ length: 200 }, (_, i) => `k${String(i)}: 1`).join()}}\n${Array.from({ length: 60 }, (_, i) => `b${String(i)}: {<<: *a}`).join('\n')}`, /merge/i],
  ['a merge of a text', 'a: {<<: x}', /merge/],
  ['an unknown tag', 'a: !reset x', /tag/],
  ['a tag of another language', 'a: !!python/object:os.system x', /tag/],
  ['!override', 'a: !override {b: 1}', /tag/],
  ['binary', 'a: !!binary aGk=', /tag/],
  ['a set', 'a: !!set {x}', /tag/],
  ['__proto__', 'services:\n  __proto__: {privileged: true}', /^2: services has the key "__proto__"/],
  ['__proto__, spelled otherwise', 'a: {"\\u005f_proto__": 1}', /"__proto__"/],
  ['constructor', 'services: {constructor: {}}', /"constructor"/],
  ['prototype', 'a: {b: [{prototype: 1}]}', /a\.b\[0\] has the key "prototype"/],
  ['infinity', 'a: .inf', /number that cannot be held exactly/],
  ['no number', 'a: .nan', /number that cannot be held exactly/],
  ['a number that is too long', 'a: 123456789012345678901', /number that cannot be held exactly/],
  ['a null character', 'a: "x\\0y"', /null character/],
  ['half a character', 'a: "\\ud800"', /half a character|not YAML/],
  ['a tab for indentation', 'a:\n\tb: 1', /not YAML/],
];

describe('readComposeYaml', () => {
  for (const [what, text, said] of REFUSED) {
    it(`refuses ${what}`, () => {
      expect(problem(text)).to.match(said);
    });
  }

  it('knows the line of every value, also behind aliases and merge keys', () => {
    const text = 'x-a: &a\n  image: one\n  ports:\n    - "80"\nservices:\n  web:\n    <<: *a\n    user: "5"\n  db: *a\n';
    const { root, aliased } = readComposeYaml(text);
    expect(aliased).to.equal(true);
    expect(scalars(root)).to.deep.equal([
      'x-a.image@2=one',
      'x-a.ports[0]@4=80',
      'services.web.image@2=one',
      'services.web.ports[0]@4=80',
      'services.web.user@8=5',
      'services.db.image@2=one',
      'services.db.ports[0]@4=80',
    ]);
  });

  it('takes JSON and flow YAML, with the lines of their keys', () => {
    const { root, aliased } = readComposeYaml('{\n  "services": {\n    "web": {"image":\n "x"}\n  }\n}');
    expect(aliased).to.equal(false);
    expect(scalars(root)).to.deep.equal(['services.web.image@3=x']);
  });

  it('reads YAML 1.2, whatever the file says of its version', () => {
    const { root } = readComposeYaml('%YAML 1.1\n---\na: yes\nb: no\nc: 22:22\nd: 0o17\ne: 017\nf: off\ng: ~\nh: True\n');
    expect(scalars(root).map((line) => line.replace(/@\d+/, ''))).to.deep.equal(['a=yes', 'b=no', 'c=22:22', 'd=15', 'e=17', 'f=off', 'g=null', 'h=true']);
  });

  it('gives what is written before what is merged, and the first of several merges before the others', () => {
    const { root } = readComposeYaml('a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc:\n  k: 3\n  <<: [*a, *b]\nd:\n  <<: [*b, *a]\n');
    expect(scalars(root).filter((line) => /^[cd]/.test(line)).map((line) => line.replace(/@\d+/, '')).sort()).to.deep.equal(['c.k=3', 'c.l=1', 'c.m=2', 'd.k=2', 'd.l=1', 'd.m=2']);
  });

  it('takes a quoted << for a key', () => {
    const { root } = readComposeYaml('a: {"<<": {b: 1}}');
    expect(scalars(root)).to.deep.equal(['a["<<"].b@1=1']);
  });

  it('quotes strange names in paths, so that they cannot forge a line', () => {
    expect(formatPath(['services', 'a\nb', 'x.y', 0, '\u202e'])).to.equal('services["a\\nb"].x.y[0]["\\u202e"]');
  });
});
