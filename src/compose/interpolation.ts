import { quoted } from '../image/quoted.ts';
import { mapScalarsOf, type MapNode, type ScalarNode } from './compose-node.ts';
import { type ComposeParameter, type ComposeProblem, ComposeUnreadable, formatPath } from './compose-problem.ts';
import { parseTemplate, type Piece, type Substitution, TemplateError } from './template.ts';

/** The variables of one request. Nothing else is ever looked up, the gateway's own environment least of all. */
export type Variables = ReadonlyMap<string, string>;

/** Characters of all values together after interpolation: a variable can be used ten thousand times. */
const MAX_CHARACTERS = 1024 * 1024;

const SECRET = /pass|secret|token|key|credential|auth/i;

/** A file with its variables filled in. */
export interface Interpolated {
  readonly root: MapNode;
  /** Wrong uses, and variables that have to be given; a value that needs one is `open` and left empty. */
  readonly problems: readonly ComposeProblem[];
  /** Every variable that the file uses. */
  readonly used: ReadonlySet<string>;
}

/**
 * Fills in the variables of every value (never of a key), with Compose's grammar. A variable that is not given and has no default,
 * or is required, is reported by name, each place of it. Throws ComposeUnreadable where the result would be too large.
 */
export function interpolate(root: MapNode, variables: Variables): Interpolated {
  const filler = new Filler(variables);
  return { root: mapScalarsOf(root, (scalar) => filler.fill(scalar)), problems: filler.problems, used: filler.used };
}

/** How a variable that has no value stands in a text. */
type Kind = ComposeParameter['kind'];

class Filler {
  readonly problems: ComposeProblem[] = [];
  readonly used = new Set<string>();
  readonly #variables: Variables;
  #left = MAX_CHARACTERS;

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  fill(scalar: ScalarNode): ScalarNode {
    const imported = importedVariable(scalar);
    if (imported !== undefined) return this.#import(scalar, imported);
    if (typeof scalar.value !== 'string') return scalar;
    const pieces = this.#parse(scalar, scalar.value);
    const missing = new Map<string, string>();
    const value = this.#text(pieces, missing);
    this.#left -= value.length;
    if (this.#left < 0) {
      const text = `the file is larger than ${String(MAX_CHARACTERS)} characters once its variables are filled in`;
      throw new ComposeUnreadable([{ code: 'compose.size', path: scalar.path, line: scalar.line, text }]);
    }
    for (const [name, message] of missing) this.#report(scalar, name, message, kindAt(scalar.path, pieces));
    return missing.size === 0 ? { ...scalar, value } : { ...scalar, value, open: true };
  }

  /** `environment: {NAME: }` and `- NAME` take a variable over as it is; Compose from the caller's environment, we from the request. */
  #import(scalar: ScalarNode, name: string): ScalarNode {
    this.used.add(name);
    const value = this.#variables.get(name);
    if (value !== undefined) return { ...scalar, value: typeof scalar.value === 'string' ? `${name}=${value}` : value };
    this.#report(scalar, name, '', 'text');
    return { ...scalar, value: '', open: true };
  }

  #parse(scalar: ScalarNode, text: string): readonly Piece[] {
    try {
      return parseTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const { path, line } = scalar;
      this.problems.push({ code: 'compose.variable', path, line, text: `${formatPath(path)}: ${error.message}; write "$$" for a dollar sign` });
      return [''];
    }
  }

  #text(pieces: readonly Piece[], missing: Map<string, string>): string {
    return pieces.map((piece) => (typeof piece === 'string' ? piece : this.#value(piece, missing))).join('');
  }

  #value({ name, operator, argument }: Substitution, missing: Map<string, string>): string {
    this.used.add(name);
    const value = this.#variables.get(name);
    const there = value !== undefined && !(operator?.startsWith(':') === true && value === '');
    if (operator === ':+' || operator === '+') return there ? this.#text(argument, missing) : '';
    if (there) return value;
    if (operator === ':-' || operator === '-') return this.#text(argument, missing);
    missing.set(name, operator === undefined ? '' : this.#text(argument, missing));
    return '';
  }

  #report({ path, line }: ScalarNode, name: string, message: string, kind: Kind): void {
    const said = message === '' ? '' : ` (the file says: ${quoted(message)})`;
    this.problems.push({
      code: 'compose.missing-variable',
      path,
      line,
      text: `${formatPath(path)} needs the variable ${name}${said}; give it with the request, or write a default: \${${name}:-…}`,
      parameter: { name, kind, secret: SECRET.test(name) },
    });
  }
}

/** The name of a variable of `environment` that is named without a value. */
function importedVariable({ path, value }: ScalarNode): string | undefined {
  const [top, , key, item, ...rest] = path;
  if (top !== 'services' || key !== 'environment' || item === undefined || rest.length > 0) return undefined;
  if (typeof item === 'string') return value === null ? item : undefined;
  return typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? value : undefined;
}

/** Whether any text will do at that place of a file, once the file itself has been judged. */
function kindAt(path: ScalarNode['path'], pieces: readonly Piece[]): Kind {
  const [top, , key, item, ...rest] = path;
  if ((top === 'configs' || top === 'secrets') && key === 'content') return 'text';
  if (top !== 'services' || key === undefined || rest.length > 0) return 'other';
  if (key === 'image' && item === undefined && pieces.length === 1) return 'image';
  if ((key === 'command' || key === 'entrypoint') && typeof item === 'number') return 'text';
  if (key !== 'environment') return 'other';
  // of `- NAME=${X}` the name is not open
  return typeof item === 'string' || (typeof pieces[0] === 'string' && pieces[0].includes('=')) ? 'text' : 'other';
}
