import { expect } from 'chai';
import { NotWords, shellWords } from '../../../src/compose/shell-words.ts';

/** A text, and its words as Compose (mattn/go-shellwords) has them; null = none. */
const TEXTS: readonly (readonly [text: string, words: readonly string[] | null])[] = [
  ['', []],
  [' a\tb\r\n c ', ['a', 'b', 'c']],
  ['a "b c" d', ['a', 'b c', 'd']],
  ["a 'b c'd", ['a', 'b cd']],
  ['a "" \'\'', ['a', '', '']],
  ['a # b', ['a', '#', 'b']],
  ['a\\ b', ['a b']],
  ['sh -c "echo \\$HOME \\"x\\" \\`y\\`"', ['sh', '-c', 'echo $HOME "x" `y`']],
  ['printf "a\\nb" c\\td', ['printf', 'a\nb', 'c\td']],
  ["'a\\nb'", ['a\\nb']],
  ['a $HOME ${B}', ['a', '$HOME', '${B}']],
  ['a $(b c "d") e', ['a', '$(b c "d")', 'e']],
  ['a $(b \\n)', ['a', '$(b \\n)']],
  ['a `b c` d', ['a', '`b c`', 'd']],
  ['a "b ; c | d & e < f > ( g )"', ['a', 'b ; c | d & e < f > ( g )']],
  ['a\\;b', ['a;b']],
  ...['a; b', 'a && b', 'a | b', 'a > b', 'a 2>b', 'a < b', 'a (b)', 'a )'].map((text) => [text, null] as const),
  ...['a "b', "a 'b", 'a `b', 'a $(b', 'a \\'].map((text) => [text, null] as const),
];

describe('shellWords', () => {
  for (const [text, words] of TEXTS) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(words)}`, () => {
      if (words === null) expect(() => shellWords(text)).to.throw(NotWords);
      else expect(shellWords(text)).to.deep.equal(words);
    });
  }
});
