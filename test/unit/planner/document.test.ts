import { expect } from 'chai';
import fc from 'fast-check';
import { GatewayError } from '../../../src/errors.ts';
import { parseDocument, parseMapping } from '../../../src/planner/document.ts';

const plain = (text: string): unknown => JSON.parse(JSON.stringify(parseDocument(text)));

/** Numbers and booleans as the texts that they are written as. */
function texts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, texts(member)]));
  return value === null ? null : typeof value === 'string' ? value : JSON.stringify(value);
}

describe('parseDocument', () => {
  for (const [text, value] of [
    ['a: 1.10', { a: '1.10' }], ['a: 010', { a: '010' }], ['a: NO', { a: 'NO' }], ['a:', { a: null }], ['a: ~', { a: null }], ['a: "null"', { a: 'null' }], ['a: true', { a: 'true' }], ['', null], ['a', 'a'], ['[1,2,]', ['1', '2']],
    ['{"a": [1, {"b": null,},],}', { a: ['1', { b: null }] }], ['x: &x {a: b}\ny:\n  <<: *x\n  c: d', { x: { a: 'b' }, y: { a: 'b', c: 'd' } }], ['a: |\n  x\n  y\n', { a: 'x\ny\n' }], ['a: say "x"', { a: 'say "x"' }], ['"\\ud83d\\ude00"', '😀'],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(plain(text)).to.deep.equal(value);
    });
  }

  for (const [text, complaint] of [
    ['a: 1\na: 2', 'line 2, column 1'], ['{"a":1 "b":2}', 'a comma is missing'], ['{"a":"1" "b":2}', 'comma'], ['[1 "2"]', 'comma'], ['a: &a [*a]', 'aliases'], ['a\n---\nb', 'several'], ['a: !!js/function "x"', 'tag'], ['[', 'line 1'], ['{[a]: b}', 'keys'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, 'nesting'], [`[${'x,'.repeat(20_001)}]`, 'too large'],
  ] as const) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      expect(() => parseDocument(text)).to.throw(GatewayError).with.property('message').contain(complaint);
    });
  }

  it('reads any JSON as JSON does, numbers as they are written', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(plain(JSON.stringify(value))).to.deep.equal(texts(value));
      }),
    );
  });

  it('makes objects without a prototype', () => {
    const branch = parseMapping('{"__proto__": {"x": 1}, "a": {}}');
    expect(Object.getPrototypeOf(branch)).to.equal(null);
    expect(Object.keys(branch)).to.deep.equal(['__proto__', 'a']);
    expect(Object.getPrototypeOf(branch['a'])).to.equal(null);
  });

  it('wants members at the top where it is told so', () => {
    for (const text of ['', 'a', '[a]']) expect(() => parseMapping(text)).to.throw(GatewayError);
  });
});
