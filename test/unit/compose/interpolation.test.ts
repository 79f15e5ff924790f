import { expect } from 'chai';
import fc from 'fast-check';
import { ComposeUnreadable } from '../../../src/compose/compose-problem.ts';
import { readComposeYaml } from '../../../src/compose/compose-yaml.ts';
import { interpolate } from '../../../src/compose/interpolation.ts';

const GIVEN = new Map([['A', 'a'], ['EMPTY', ''], ['DOLLAR', '$A'], ['_x1', 'under'], ['lower', 'l']]);

/** The value of `text` as a value of a file, and `!` and the codes of what is wrong. */
function filled(text: string, variables: ReadonlyMap<string, string> = GIVEN): string {
  const { root } = readComposeYaml(JSON.stringify({ 'x-value': text }));
  const { root: after, problems } = interpolate(root, variables);
  const node = after.entries.get('x-value');
  const value = node?.kind === 'scalar' ? String(node.value) : '';
  const open = node?.kind === 'scalar' && node.open === true ? ' (open)' : '';
  return value + open + problems.map(({ code, parameter }) => ` !${code}${parameter === undefined ? '' : `:${parameter.name}`}`).join('');
}

const MISSING = '!compose.missing-variable';

/** The grammar of compose-go, template_test.go, and the research's additions. */
const VECTORS: readonly (readonly [text: string, value: string])[] = [
  ['plain', 'plain'],
  ['', ''],
  ['$A', 'a'],
  ['${A}', 'a'],
  ['$A.$A-$A', 'a.a-a'],
  ['${A}A', 'aA'],
  ['$AA', ` (open) ${MISSING}:AA`],
  ['$_x1 ${_x1}', 'under under'],
  ['$lower', 'l'],
  ['$$', '$'],
  ['$$A', '$A'],
  ['$$$A', '$a'],
  ['$${A}', '${A}'],
  ['$$$$', '$$'],
  ['\\$A', '\\a'],
  ['$1', '$1'],
  ['$ ', '$ '],
  ['$(A)', '$(A)'],
  ['$', '$'],
  ['a$', 'a$'],
  ['$-', '$-'],
  ['$DOLLAR', '$A'],
  ['${DOLLAR}${A}', '$Aa'],
  ['${X:-d}', 'd'],
  ['${X-d}', 'd'],
  ['${EMPTY:-d}', 'd'],
  ['${EMPTY-d}', ''],
  ['${A:-d}', 'a'],
  ['${A-d}', 'a'],
  ['${X:-}', ''],
  ['${X-}', ''],
  ['${X:- d }', ' d '],
  ['${X:-${A}}', 'a'],
  ['${X:-${Y:-${A}}}', 'a'],
  ['${X:-$A}', 'a'],
  ['${X:-a-b:c?d+e}', 'a-b:c?d+e'],
  ['${X:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'],
  ['${X:-$$}', '$'],
  ['${X:-/a/b}:/c', '/a/b:/c'],
  ['${A:+y}', 'y'],
  ['${A+y}', 'y'],
  ['${EMPTY:+y}', ''],
  ['${EMPTY+y}', 'y'],
  ['${X:+y}', ''],
  ['${X+y}', ''],
  ['${A:+${EMPTY:-n}}', 'n'],
  ['${X:+${Y}}', ''],
  ['${A:?needed}', 'a'],
  ['${A?needed}', 'a'],
  ['${EMPTY?needed}', ''],
  ['${EMPTY:?needed}', ` (open) ${MISSING}:EMPTY`],
  ['${X:?needed}', ` (open) ${MISSING}:X`],
  ['${X?}', ` (open) ${MISSING}:X`],
  ['${X}', ` (open) ${MISSING}:X`],
  ['$X', ` (open) ${MISSING}:X`],
  ['a${X}b', `ab (open) ${MISSING}:X`],
  ['${X}${Y}', ` (open) ${MISSING}:X ${MISSING}:Y`],
  ['${X:-${Y}}', ` (open) ${MISSING}:Y`],
  // names that mean something to JavaScript are names like any other
  ['${__proto__}', ` (open) ${MISSING}:__proto__`],
  ['${constructor}', ` (open) ${MISSING}:constructor`],
  ['${toString:-x}', 'x'],
  ['${hasOwnProperty+x}', ''],
  // and so are those that the gateway's own environment has
  ['${PATH:-none}', 'none'],
  ['${HOME:+x}', ''],
];

const WRONG: readonly string[] = ['${', '${}', '${A', '${A:-b', '${1}', '${A!}', '${ A}', '${A }', '${A:}', '${A:b}', '${A:-${B}', '${-d}', '${A/b/c}', '${A,,}', '${#A}', '${A[0]}', '${!A}', '${X:-a\nb}', '${A:+\n}'];

describe('interpolation', () => {
  for (const [text, value] of VECTORS) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(value)}`, () => {
      expect(filled(text)).to.equal(value);
    });
  }

  for (const text of WRONG) {
    it(`${JSON.stringify(text)} is a mistake`, () => {
      expect(filled(text)).to.match(/^ !compose\.variable/);
    });
  }

  it('says by name what is needed, and what the file says of it', () => {
    const { root } = readComposeYaml('x: "${TOKEN:?get one at example.org\\u202e}"');
    const [problem] = interpolate(root, new Map()).problems;
    expect(problem?.text).to.equal('x needs the variable TOKEN (the file says: "get one at example.org\u202e"); give it with the request, or write a default: ${TOKEN:-…}'.replace('\u202e', '\\u202e'));
    expect(problem?.parameter).to.deep.equal({ name: 'TOKEN', kind: 'other', secret: true });
  });

  it('changes values, never keys', () => {
    const { root, problems } = interpolate(readComposeYaml('$A: {"${A}": $A}').root, GIVEN);
    expect(JSON.stringify([...root.entries.keys()])).to.equal('["$A"]');
    expect(problems).to.deep.equal([]);
  });

  it('takes variables that environment names without a value from the request', () => {
    const text = 'services: {w: {environment: [A, B=, "C=$A"]}, m: {environment: {A: , B: ""}}, o: {environment: [X], labels: [A]}}';
    const { root, problems, used } = interpolate(readComposeYaml(text).root, GIVEN);
    const lists = JSON.stringify(root, (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value));
    expect(lists).to.include('"A=a"').and.to.include('"B="').and.to.include('"C=a"').and.to.include('"value":"a"');
    expect(problems.map(({ parameter }) => parameter)).to.deep.equal([{ name: 'X', kind: 'text', secret: false }]);
    expect([...used].sort()).to.deep.equal(['A', 'X']);
  });

  it('says where any text will do, and where an image stands', () => {
    const text = `services:
  w:
    image: $I
    environment: {A: "x$T"}
    command: [a, $T2, "$P"]
    ports: ["$O"]
  v: {image: "registry/$O", environment: ["A=$T3", "$O"], command: "$O"}
configs: {c: {content: "$T4"}}
x-$I: $O
`;
    const { problems } = interpolate(readComposeYaml(text).root, new Map());
    expect(problems.map(({ parameter }) => `${parameter?.name ?? ''} ${parameter?.kind ?? ''}`)).to.deep.equal([
      'I image', 'T text', 'T2 text', 'P text', 'O other', 'O other', 'T3 text', 'O other', 'O other', 'T4 text', 'O other',
    ]);
  });

  it('stops where variables would make a file of any size', () => {
    const { root } = readComposeYaml(JSON.stringify({ x: Array.from({ length: 100 }, () => '$A$A$A$A$A$A$A$A$A$A') }));
    expect(() => interpolate(root, new Map([['A', 'x'.repeat(100_000)]]))).to.throw(ComposeUnreadable, /larger than/);
  });

  it('stops where variables nest without end', () => {
    expect(filled('${A:-'.repeat(9) + '}'.repeat(9))).to.include('!compose.variable');
    expect(filled('${X:-'.repeat(8) + 'd' + '}'.repeat(8))).to.equal('d');
  });

  it('never throws, and never takes longer than the text is long', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', '?', '+', 'A', 'X', '1', ' ', '\n') }), (text) => {
      expect(filled(text)).to.be.a('string');
    }), { numRuns: 2000 });
    expect(filled('${'.repeat(50_000))).to.include('!compose.variable');
    expect(filled('$A'.repeat(50_000))).to.have.length(50_000);
  });
});
