import { GatewayError } from '../errors.ts';
import { parseDocument } from './document.ts';
import { type Branch, isBranch, isList, UploadedDocument, type Value } from './question.ts';

/** The one text that stands at `path`. Throws BadParameter. */
export function textOf(value: Value, path: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof UploadedDocument) return value.text;
  throw wrong(path, 'one text');
}

/** A list of texts, as a list, as `name.0`, `name.1` …, or a single text. Throws BadParameter. */
export function wordsOf(value: Value, path: string): readonly string[] {
  if (value instanceof UploadedDocument) return wordsOf(parseDocument(value.text, path), path);
  if (typeof value === 'string') return [value];
  const items = isBranch(value) ? numbered(value) : value;
  if (!isList(items)) throw wrong(path, 'a list of texts');
  return items.map((item, i) => {
    if (typeof item === 'string') return item;
    throw wrong(`${path}.${String(i)}`, 'one text');
  });
}

/** The same of plain names, where `{a,b}` (note §3.5) and `a,b` are lists too. */
export function namesOf(value: Value, path: string): readonly string[] {
  return wordsOf(value, path)
    .flatMap((word) => word.trim().replace(/^\{([^{}]*)\}$/, '$1').split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Texts by name: as members, or as a list of `NAME=value`. Throws BadParameter. */
export function pairsOf(value: Value, path: string): ReadonlyMap<string, string> {
  if (value instanceof UploadedDocument) return pairsOf(parseDocument(value.text, path), path);
  if (isBranch(value) && numbered(value) === undefined) {
    return new Map(Object.entries(value).map(([name, member]) => [name, textOf(member, `${path}.${name}`)]));
  }
  const pairs = new Map<string, string>();
  for (const word of wordsOf(value, path)) {
    const equals = word.indexOf('=');
    if (equals < 1 || pairs.has(word.slice(0, equals))) throw wrong(path, 'members, or a list of NAME=value, each name once');
    pairs.set(word.slice(0, equals), word.slice(equals + 1));
  }
  return pairs;
}

/** The members in order, where all their names are numbers. */
function numbered(branch: Branch): readonly Value[] | undefined {
  const names = Object.keys(branch);
  if (names.length === 0 || names.some((name) => !/^\d{1,4}$/.test(name))) return undefined;
  return names.sort((a, b) => Number(a) - Number(b)).map((name) => branch[name] ?? null);
}

function wrong(path: string, form: string): GatewayError {
  return new GatewayError('BadParameter', `${path.slice(0, 200)} must be ${form}`, { path: path.slice(0, 200) });
}
