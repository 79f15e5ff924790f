/** A text that is no command by itself. */
export class NotWords extends Error {
  override readonly name = 'NotWords';
}

/** What only a shell would act on. Compose takes the command to end at the first of the former, and is at a loss with the latter. */
const OPERATORS = /[;&|<>()]/;
/** What a backslash makes of these, outside of single quotes, as in Compose. */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t' };

/**
 * The words of a text, as Compose splits it (mattn/go-shellwords, no variables, nothing run): quotes and backslashes group, between backticks and in `$(…)`
 * everything is kept as it is. Throws NotWords where a quote is open, or where outside of quotes something stands that only a shell would act on.
 */
export function shellWords(text: string): readonly string[] {
  const words: string[] = [];
  /** Absent = between two words. */
  let word: string | undefined;
  /** What closes the part that is open; '' = none is. */
  let open = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\' && open !== "'") {
      at += 1;
      const next = text[at];
      if (next === undefined) throw new NotWords('ends with a backslash');
      word = (word ?? '') + (isRaw(open) ? `\\${next}` : (ESCAPES[next] ?? next));
    } else if (open !== '') {
      const closes = character === open;
      if (closes) open = '';
      if (!closes || isRaw(character)) word = (word ?? '') + character;
    } else if (/[ \t\r\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '"' || character === "'") {
      open = character;
      word ??= '';
    } else if (character === '`' || (character === '(' && word?.endsWith('$') === true)) {
      open = character === '`' ? '`' : ')';
      word = (word ?? '') + character;
    } else if (OPERATORS.test(character)) throw new NotWords(`has ${character} outside of quotes`);
    else word = (word ?? '') + character;
  }
  if (open !== '') throw new NotWords(`has a ${open} too few`);
  return word === undefined ? words : [...words, word];
}

/** Whether what is between is kept as it is, the signs around it too. */
function isRaw(sign: string): boolean {
  return sign === '`' || sign === ')';
}
