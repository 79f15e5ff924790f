import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { UploadedDocument, type Value } from '../../../src/planner/question.ts';
import { namesOf, pairsOf, textOf, wordsOf } from '../../../src/planner/value-readers.ts';

const document = new UploadedDocument('[a, b]', 'text/yaml');

describe('value readers', () => {
  it('read words, which keep their commas and braces', () => {
    for (const [value, words] of [['a,b', ['a,b']], ['{a,b}', ['{a,b}']], [['a', ''], ['a', '']], [{ 1: 'b', 0: 'a', 10: 'c' }, ['a', 'b', 'c']], [document, ['a', 'b']], [[], []]] as readonly [Value, string[]][]) expect(wordsOf(value, 'x')).to.deep.equal(words);
  });

  it('read names, in which commas and braces make lists', () => {
    for (const [value, names] of [['a,b', ['a', 'b']], ['{a, b}', ['a', 'b']], [['{a}', 'b,c'], ['a', 'b', 'c']], ['', []], ['{}', []]] as readonly [Value, string[]][]) expect(namesOf(value, 'x')).to.deep.equal(names);
  });

  it('read pairs', () => {
    for (const value of [{ A: '1', B: '' }, ['A=1', 'B='], new UploadedDocument('{A: 1, B: ""}', 'text/yaml')] as readonly Value[]) expect([...pairsOf(value, 'x')]).to.deep.equal([['A', '1'], ['B', '']]);
  });

  for (const [what, read] of [
    ['a list as a text', () => textOf(['a'], 'x')], ['nothing as a text', () => textOf(null, 'x')], ['members as words', () => wordsOf({ a: 'b' }, 'x')], ['a list in a list', () => wordsOf([['a']], 'x')], ['nothing in a list', () => wordsOf([null], 'x')],
    ['a pair without a name', () => pairsOf(['=1'], 'x')], ['a pair twice', () => pairsOf(['A=1', 'A=2'], 'x')], ['a pair without a value', () => pairsOf(['A'], 'x')], ['members of a variable', () => pairsOf({ A: { B: 'c' } }, 'x')],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(read).to.throw(GatewayError).with.property('code', 'BadParameter');
    });
  }
});
