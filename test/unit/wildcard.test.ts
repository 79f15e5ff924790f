import { expect } from 'chai';
import fc from 'fast-check';
import { wildcardMatches } from '../../src/wildcard.ts';

describe('a pattern with wildcards', () => {
  const table: readonly (readonly [pattern: string, text: string, matches: boolean])[] = [
    ['LD_*', 'LD_PRELOAD', true], ['LD_*', 'LD_', true], ['LD_*', 'XLD_A', false], ['LD_*', 'ld_preload', false],
    ['*', '', true], ['*', 'anything', true], ['', '', true], ['', 'a', false], ['abc', 'abc', true], ['abc', 'abcd', false],
    ['*_PROXY', 'HTTP_PROXY', true], ['*_PROXY', 'HTTP_PROXY2', false], ['a*b*c', 'abc', true], ['a*b*c', 'aXbXc', true], ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false], ['ab*ba', 'abba', true], ['a**b', 'aXb', true], ['a.c', 'abc', false],
  ];
  for (const [pattern, text, matches] of table) {
    it(`${JSON.stringify(pattern)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => expect(wildcardMatches(pattern, text)).to.equal(matches));
  }

  it('agrees with a regular expression', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    fc.assert(
      fc.property(word, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
        expect(wildcardMatches(pattern, text)).to.equal(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
      }),
    );
  });
});
