/** A part of a text with variables: literal text, or one variable and what is to become of it. */
export type Piece = string | Substitution;

export interface Substitution {
  readonly name: string;
  /** Absent = the variable's value. With `:` an empty value counts as none. */
  readonly operator?: ':-' | '-' | ':?' | '?' | ':+' | '+';
  /** What follows the operator: default, message or replacement. */
  readonly argument: readonly Piece[];
}

/** A text that is none by Compose's grammar; the message says why. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** `${A:-${B:-${C}}}` nests as deep as this. */
const MAX_NESTING = 8;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATORS = [':-', ':?', ':+', '-', '?', '+'] as const;

/**
 * Parses Compose's grammar (compose-go template.go): `$$` is `$`; `$NAME`, `${NAME}`, `${NAME:-default}`, `-`, `:?message`, `?`,
 * `:+replacement`, `+`, nested in what follows the operator; `$` before anything else is itself, and a backslash escapes
 * nothing. What follows an operator ends at the brace that closes it, and on its line. Throws TemplateError.
 */
export function parseTemplate(text: string): readonly Piece[] {
  // almost every text of a file
  return text.includes('$') ? new Parser(text).pieces(0, false) : [text];
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Up to the end, or, `inside` a substitution, up to the brace that closes it. */
  pieces(depth: number, inside: boolean): readonly Piece[] {
    if (depth > MAX_NESTING) throw new TemplateError(`variables are nested deeper than ${String(MAX_NESTING)}`);
    const pieces: Piece[] = [];
    let literal = '';
    let braces = 0;
    for (; this.#at < this.#text.length; ) {
      const character = this.#text[this.#at] ?? '';
      if (character === '$') {
        const found = this.#dollar(depth);
        if (typeof found === 'string') literal += found;
        else {
          if (literal !== '') pieces.push(literal);
          literal = '';
          pieces.push(found);
        }
        continue;
      }
      if (inside && character === '\n') throw new TemplateError('a variable with its default must stand on one line');
      if (inside && character === '}' && braces === 0) break;
      if (inside && character === '{') braces += 1;
      if (inside && character === '}') braces -= 1;
      literal += character;
      this.#at += 1;
    }
    if (literal !== '') pieces.push(literal);
    return pieces;
  }

  /** At a `$`. */
  #dollar(depth: number): Piece {
    const next = this.#text[this.#at + 1];
    if (next === '$') {
      this.#at += 2;
      return '$';
    }
    if (next === '{') {
      this.#at += 2;
      return this.#braced(depth);
    }
    this.#at += 1;
    const name = this.#name();
    return name === undefined ? '$' : { name, argument: [] };
  }

  #braced(depth: number): Substitution {
    const name = this.#name();
    if (name === undefined) throw new TemplateError('"${" is not followed by the name of a variable; write "$${" for the characters themselves');
    if (this.#text[this.#at] === '}') {
      this.#at += 1;
      return { name, argument: [] };
    }
    const operator = OPERATORS.find((each) => this.#text.startsWith(each, this.#at));
    if (operator === undefined) throw new TemplateError(`"\${${name}" is followed by something that is neither "}" nor one of ${OPERATORS.join(' ')}`);
    this.#at += operator.length;
    const argument = this.pieces(depth + 1, true);
    if (this.#text[this.#at] !== '}') throw new TemplateError(`"\${${name}${operator}" is not closed by "}"`);
    this.#at += 1;
    return { name, operator, argument };
  }

  #name(): string | undefined {
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name !== undefined) this.#at += name.length;
    return name;
  }
}
