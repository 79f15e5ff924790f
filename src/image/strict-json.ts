import { ImageUnacceptable } from './image-unacceptable.ts';
import { quoted } from './quoted.ts';

/**
 * What keys an object may have. Struct-like objects are read by the engine into a Go struct: it takes keys in any letter
 * case (and the Kelvin sign for a k), believes the later of two, and merges objects of one name. Map-like objects keep
 * their keys as they are. An array has the shape of its elements.
 */
export type Shape =
  | { readonly kind: 'map' }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Shape>; readonly folded: ReadonlyMap<string, string> };

/** An object whose keys are data: labels, annotations, volumes. */
export const MAP: Shape = { kind: 'map' };

/** A struct with these fields; what their objects look like, where they are any (`{}` = a struct of unknown fields). */
export function struct(fields: Readonly<Record<string, Shape>>): Shape {
  const folded = Object.keys(fields).map((name): [string, string] => [name.toLowerCase(), name]);
  return { kind: 'struct', fields: new Map(Object.entries(fields)), folded: new Map(folded) };
}

/** A struct nothing is known of; also what a scalar field is given, for what it should not contain. */
export const UNKNOWN: Shape = struct({});

/** Deeper than any manifest, index or configuration is. */
const MAX_DEPTH = 32;

/**
 * The value of a JSON document as every reader sees it. Throws ImageUnacceptable: `image.malformed` for bytes that are not
 * UTF-8 or not JSON, begin with a byte order mark, hold half a surrogate pair or nest deeper than 32;
 * `image.duplicate-key` for two equal keys in one object; `image.ambiguous-key` for keys of a struct that are not ASCII,
 * differ only in letter case, or are a known field in another letter case. `what` names the document in messages.
 */
export function parseStrictJson(bytes: Uint8Array, shape: Shape, what: string): unknown {
  const text = decode(bytes, what);
  // First the keys, for the scan also bounds the depth; what is not JSON at all is left to JSON.parse, which is strict.
  scanKeys(text, shape, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ImageUnacceptable('image.malformed', `the ${what} is not JSON`);
  }
  return value;
}

function decode(bytes: Uint8Array, what: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ImageUnacceptable('image.malformed', `the ${what} is not UTF-8`);
  }
  if (text.startsWith('\ufeff')) throw new ImageUnacceptable('image.malformed', `the ${what} begins with a byte order mark`);
  return text;
}

/** One open object or array. */
interface Frame {
  readonly shape: Shape;
  /** Keys so far, and the folded form of each; undefined in an array. */
  readonly keys?: Map<string, string>;
  /** What an object found next is: the field's shape in an object, the array's own in an array. */
  next: Shape;
}

/**
 * Looks at strings, brackets and colons only: where the text is JSON, nothing else can hide a key. One pass by hand, for a
 * regular expression takes quadratic time, or the whole stack, for what is built to make it.
 */
function scanKeys(text: string, shape: Shape, what: string): void {
  const open: Frame[] = [];
  let last: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    const frame = open.at(-1);
    if (character === '"') {
      const end = endOfString(text, at, what);
      last = stringOf(text.slice(at, end), what);
      at = end - 1;
    } else if (character === '{' || character === '[') {
      if (open.length === MAX_DEPTH) throw new ImageUnacceptable('image.malformed', `the ${what} nests deeper than ${MAX_DEPTH}`);
      const inner = frame?.next ?? shape;
      open.push({ shape: inner, next: inner, ...(character === '{' ? { keys: new Map<string, string>() } : {}) });
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === ':' && frame?.keys !== undefined && last !== undefined) {
      frame.next = takeKey(frame.shape, frame.keys, last, what);
    }
  }
}

/** The index after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number, what: string): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new ImageUnacceptable('image.malformed', `the ${what} is not JSON`);
}

/** The string a token stands for. Half a surrogate pair is refused: Go would read each as the same U+FFFD. */
function stringOf(token: string, what: string): string {
  if (!token.includes('\\')) return token.slice(1, -1);
  let value: unknown;
  try {
    value = JSON.parse(token);
  } catch {
    throw new ImageUnacceptable('image.malformed', `the ${what} is not JSON`);
  }
  const text = String(value);
  if (/\p{Surrogate}/u.test(text)) throw new ImageUnacceptable('image.malformed', `the ${what} holds half a surrogate pair`);
  return text;
}

/** Notes a key of an object; the shape of its value. */
function takeKey(shape: Shape, keys: Map<string, string>, key: string, what: string): Shape {
  const folded = shape.kind === 'map' ? key : key.toLowerCase();
  const earlier = keys.get(folded);
  if (earlier === key) throw new ImageUnacceptable('image.duplicate-key', `the ${what} names the key ${quoted(key)} twice in one object`);
  // Harmless to JSON.parse, not to whatever copies the object later.
  if (key === '__proto__') throw new ImageUnacceptable('image.ambiguous-key', `the ${what} has the key "__proto__"`);
  keys.set(folded, key);
  if (shape.kind === 'map') return UNKNOWN;
  if (/[^\x20-\x7e]/.test(key)) throw ambiguous(what, key, 'which is not plain ASCII');
  if (earlier !== undefined) throw ambiguous(what, key, `beside ${quoted(earlier)}`);
  const known = shape.folded.get(folded);
  if (known !== undefined && known !== key) throw ambiguous(what, key, `which the engine takes for ${quoted(known)}`);
  return shape.fields.get(key) ?? UNKNOWN;
}

function ambiguous(what: string, key: string, why: string): ImageUnacceptable {
  return new ImageUnacceptable('image.ambiguous-key', `the ${what} has the key ${quoted(key)}, ${why}`);
}
