import { COLLECTION_STYLE, constructFromEvents, EVENT_ID, FAILSAFE_SCHEMA, mergeTag, nullCoreTag, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { GatewayError } from '../errors.ts';
import type { Branch, Value } from './question.ts';

/** Deeper than any task we know of. */
const MAX_DEPTH = 32;
/** Values of one document, aliases counted as often as they are used: what a YAML bomb runs into. */
const MAX_VALUES = 20_000;

/** Scalars are text but for null; `<<` merges, as task descriptions in the manner of Compose use it. */
const SCHEMA = FAILSAFE_SCHEMA.withTags(nullCoreTag, mergeTag);
type Events = ReturnType<typeof parseEvents>;

/**
 * A document in YAML 1.2, or in JSON, of which it is a superset: so the trailing commas of the note's own examples are no error
 * (execution-planner.md 1.5, 3). A missing comma is, and so is a key that is given twice. Throws BadRequest, with line and column
 * where they are known.
 */
export function parseDocument(text: string, path?: string): Value {
  const bad = (what: string): GatewayError => new GatewayError('BadRequest', `the document is not valid: ${what}`, path === undefined ? {} : { path });
  try {
    const events = parseEvents(text, { maxDepth: MAX_DEPTH });
    refuseGluedEntries(text, events, bad);
    const documents = constructFromEvents(events, { source: text, schema: SCHEMA, maxTotalMergeKeys: 1000, maxAliases: 1000 });
    if (documents.length > 1) throw bad('there are several documents in it');
    return plainValue(documents[0] ?? null, bad);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { mark, reason } = error;
    throw bad(`${mark === undefined ? '' : `line ${String(mark.line + 1)}, column ${String(mark.column + 1)}: `}${reason.slice(0, 200)}`);
  }
}

/** The same, where it must have members at the top. */
export function parseMapping(text: string, path?: string): Branch {
  const value = parseDocument(text, path);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Branch;
  if (path !== undefined) throw withoutMembers(path);
  throw new GatewayError('BadRequest', 'the document must be a mapping, such as {"tasktype": "uri://docker-container"}');
}

/** What is said of a member of a question that is a text or a list. */
export function withoutMembers(path: string): GatewayError {
  const example = EXAMPLES[path];
  return new GatewayError('BadRequest', `${path} must have members${example === undefined ? '' : `, such as ${example}`}`, { path });
}

const EXAMPLES: Readonly<Record<string, string>> = {
  taskinfo: '{"image": "registry.example.org/tools/cutout:1"}', resources: '{"minmemory": "2G"}',
};

type Complain = (what: string) => GatewayError;

/** `{"a":1 "b":2}` is one entry to YAML, of the value `1 "b":2`; whoever wrote it has forgotten a comma. */
function refuseGluedEntries(text: string, events: Events, bad: Complain): void {
  const open: boolean[] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.POP) open.pop();
    else if (event.type === EVENT_ID.DOCUMENT) open.push(false);
    else if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) open.push(event.style === COLLECTION_STYLE.FLOW);
    else if (event.type === EVENT_ID.SCALAR && event.style === SCALAR_STYLE.PLAIN && open.at(-1) === true) {
      const scalar = text.slice(event.valueStart, event.valueEnd);
      if (!/\s"/.test(scalar)) continue;
      const lines = text.slice(0, event.valueStart).split('\n');
      throw bad(`line ${String(lines.length)}, column ${String((lines.at(-1)?.length ?? 0) + 1)}: a comma is missing`);
    }
  }
}

/** The same value made of objects without a prototype, its size counted. */
function plainValue(document: unknown, bad: Complain): Value {
  let left = MAX_VALUES;
  const copy = (value: unknown, depth: number): Value => {
    left -= 1;
    if (left < 0 || depth > MAX_DEPTH) throw bad('it is too large or too deep once its aliases are followed');
    if (value === null || typeof value === 'string') return value;
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1));
    if (typeof value !== 'object') throw bad('it has a value of a kind that is not supported');
    const branch = Object.create(null) as Record<string, Value>;
    for (const [name, member] of Object.entries(value)) branch[name] = copy(member, depth + 1);
    return branch;
  };
  return copy(document, 0);
}
