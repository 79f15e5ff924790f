import { constructFromEvents, CORE_SCHEMA, mergeTag, parseEvents, realMapTag, YAMLException } from 'js-yaml';
import { type ComposeNode, type MapNode, type ScalarValue } from './compose-node.ts';
import { type Outline, outlineOf, outlineOfMember } from './compose-outline.ts';
import { type ComposePath, ComposeUnreadable, formatPath } from './compose-problem.ts';

/** Largest file (bytes): parsing is not interrupted, and the largest of 80 public files has a tenth of this. */
export const MAX_BYTES = 256 * 1024;
/** Nested deeper than any file that a person wrote. */
const MAX_DEPTH = 32;
/** Values once every alias is followed: 90 aliases can stand for 10^9 of them. */
const MAX_NODES = 20_000;

/** YAML 1.2 core with merge keys; mappings become Maps. Other tags, `!reset` among them, are errors. */
const SCHEMA = CORE_SCHEMA.withTags(mergeTag, realMapTag);
const LIMITS = { maxAliases: 100, maxTotalMergeKeys: 1000 };

/** Names that are refused everywhere: they mean something to programs in JavaScript. */
const BAD_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** A file, with its aliases and merge keys written out. */
export interface ComposeDocument {
  readonly root: MapNode;
  /** Whether anything in it came by an alias or a merge key, so that its text has fewer values than it. */
  readonly aliased: boolean;
}

/**
 * Reads YAML 1.2, or JSON, of one document whose top is a mapping. Throws ComposeUnreadable for what is too large, too deep,
 * refers to itself, has several documents, unknown tags, a key twice, or a key that is no text.
 */
export function readComposeYaml(text: string): ComposeDocument {
  if (Buffer.byteLength(text) > MAX_BYTES) throw unreadable(`the file is larger than ${String(MAX_BYTES)} bytes`);
  const { value, outline } = parse(text);
  const walk = new Walk();
  const root = walk.copy(value, outline, [], outline.line);
  if (root.kind !== 'map') throw unreadable('the file must be a mapping with services in it');
  return { root, aliased: walk.aliased };
}

function parse(text: string): { readonly value: unknown; readonly outline: Outline } {
  try {
    const events = parseEvents(text, { maxDepth: MAX_DEPTH });
    const documents = constructFromEvents(events, { source: text, schema: SCHEMA, ...LIMITS });
    if (documents.length !== 1) throw unreadable(documents.length === 0 ? 'the file is empty' : 'there are several documents in the file; give one');
    return { value: documents[0], outline: outlineOf(text, events) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = (error.mark?.line ?? -1) + 1;
    throw unreadable(`the file is not YAML that is taken here: ${error.reason.slice(0, 200)}`, [], line);
  }
}

/** Copies what the parser made into nodes of ours, with every alias written out, and counts them. */
class Walk {
  aliased = false;
  #left = MAX_NODES;
  readonly #above = new Set<unknown>();

  copy(value: unknown, outline: Outline | undefined, path: ComposePath, above: number): ComposeNode {
    const line = outline?.line ?? above;
    if (outline?.aliased === true || (outline !== undefined && outline.merged.length > 0)) this.aliased = true;
    this.#left -= 1;
    if (this.#left < 0) throw unreadable(`the file has more than ${String(MAX_NODES)} values once its aliases are followed`, path, line);
    if (path.length > MAX_DEPTH) throw unreadable(`the file is nested deeper than ${String(MAX_DEPTH)}`, path, line);
    if (typeof value !== 'object' || value === null) return { kind: 'scalar', value: scalar(value, path, line), path, line, ...(typeof value === 'number' && /^[+-]?0\d/.test(outline?.plain ?? '') ? { octal: true as const } : {}) };
    if (this.#above.has(value)) throw unreadable(`${formatPath(path)} refers to something that contains it`, path, line);
    this.#above.add(value);
    const node = Array.isArray(value) ? this.#list(value, outline, path, line) : this.#map(value, outline, path, line);
    this.#above.delete(value);
    return node;
  }

  #list(value: readonly unknown[], outline: Outline | undefined, path: ComposePath, line: number): ComposeNode {
    return { kind: 'list', items: value.map((item, i) => this.copy(item, outline?.items[i], [...path, i], line)), path, line };
  }

  #map(value: object, outline: Outline | undefined, path: ComposePath, line: number): ComposeNode {
    if (!(value instanceof Map)) throw unreadable('the file has a value of a kind that is not taken here', path, line);
    const entries = new Map<string, ComposeNode>();
    for (const [key, inner] of value as ReadonlyMap<unknown, unknown>) {
      const here = outlineOfMember(outline, String(key));
      if (typeof key !== 'string') throw unreadable(`${place(path)} has a key that is not text; put it in quotes`, path, here?.line ?? line);
      if (BAD_NAMES.has(key)) throw unreadable(`${place(path)} has the key ${JSON.stringify(key)}, which is not taken here; choose another name`, path, here?.line ?? line);
      entries.set(key, this.copy(inner, here, [...path, key], line));
    }
    return { kind: 'map', entries, path, line };
  }
}

/** Numbers that text cannot be made of again are refused: somebody meant something else. */
function scalar(value: unknown, path: ComposePath, line: number): ScalarValue {
  if (typeof value === 'string' && /[\0\p{Surrogate}]/u.test(value)) throw unreadable(`${place(path)} has a null character or half a character`, path, line);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
  throw unreadable(`${place(path)} is a number that cannot be held exactly; put it in quotes`, path, line);
}

function place(path: ComposePath): string {
  return path.length === 0 ? 'the file' : formatPath(path);
}

function unreadable(text: string, path: ComposePath = [], line = 0): ComposeUnreadable {
  return new ComposeUnreadable([{ code: 'compose.unreadable', path, line, text }]);
}
