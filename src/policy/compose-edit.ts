import { Document, isMap, isScalar, isSeq, parseDocument, type ParsedNode, visit } from 'yaml';
import type { ComposeNode } from '../compose/compose-node.ts';
import type { ComposePath, Edit } from '../compose/compose-problem.ts';
import type { ComposeDocument } from '../compose/compose-yaml.ts';

/** Larger files are not rewritten (characters): the writer takes ten times as long as the reader, and everything waits for it. */
const LONGEST = 64 * 1024;

/**
 * The file with these edits made, its comments and order kept. Where it has aliases or merge keys, values are in it that its text has
 * not; then it is written anew, every value in its place and without comments. Undefined where it cannot be done. What comes out
 * is only text: it has to be read and judged like any other.
 */
export function editFile(text: string, { root, aliased }: ComposeDocument, edits: readonly Edit[]): string | undefined {
  if (text.length > LONGEST) return undefined;
  const document = aliased ? new Document(plain(root)) : parseDocument<ParsedNode>(text, { version: '1.2' });
  if (document.errors.length > 0 || !isMap(document.contents)) return undefined;
  try {
    for (const edit of inOrder(edits)) apply(document, edit);
    spellNulls(document);
    return document.toString({ lineWidth: 0 });
  } catch {
    // The writer reads YAML a little differently; then there is no offer.
    return undefined;
  }
}

/** What is set and added first; then what is removed, the last item of a list before those before it. */
function inOrder(edits: readonly Edit[]): readonly Edit[] {
  const seen = new Set<string>();
  const once = edits.filter((edit) => {
    const key = JSON.stringify(edit);
    return !seen.has(key) && seen.add(key).size > 0;
  });
  const removals = once.filter((edit) => edit.do === 'remove').sort((a, b) => comparePaths(b.path, a.path));
  // Appending moves nothing, but comes after what is set at the place of a list.
  return [...once.filter((edit) => edit.do === 'set' || edit.do === 'add'), ...once.filter((edit) => edit.do === 'append'), ...removals];
}

function comparePaths(a: ComposePath, b: ComposePath): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const [one, other] = [a[i] ?? 0, b[i] ?? 0];
    if (one === other) continue;
    if (typeof one === 'number' && typeof other === 'number') return one - other;
    return String(one) < String(other) ? -1 : 1;
  }
  return a.length - b.length;
}

function apply(document: Document, edit: Edit): void {
  const { path } = edit;
  if (edit.do === 'remove') {
    remove(document, path);
  } else if (edit.do === 'append') {
    const list = document.getIn(path);
    if (isSeq(list)) list.add(document.createNode(edit.value));
    else setIn(document, path, [edit.value]);
  } else if (edit.do === 'set' || !document.hasIn(path)) {
    setIn(document, path, edit.value);
  }
}

/** Also where the parent is there with no value, as in `volumes:`. */
function setIn(document: Document, path: ComposePath, value: unknown): void {
  const parent = path.slice(0, -1);
  if (parent.length > 0 && !isMap(document.getIn(parent)) && !isSeq(document.getIn(parent))) setIn(document, parent, {});
  const present = document.getIn(path, true);
  // in place, so that its comment and its quotes stay
  if (isScalar(present) && (typeof value !== 'object' || value === null)) present.value = value;
  else document.setIn(path, document.createNode(value));
}

/** With the parent, where nothing is left in it: `ports:` without a port is no list to everybody. */
function remove(document: Document, path: ComposePath): void {
  document.deleteIn(path);
  const parent = path.slice(0, -1);
  // A service, a network or a section may well be empty.
  if (parent.length < 3) return;
  const left = document.getIn(parent);
  if ((isMap(left) || isSeq(left)) && left.items.length === 0) remove(document, parent);
}

/** `{a:, b: 1}` is YAML, but not to every reader. */
function spellNulls(document: Document): void {
  visit(document, {
    Map: (_, node) => {
      if (node.flow !== true) return;
      for (const pair of node.items) if (pair.value === null || (isScalar(pair.value) && pair.value.value === null)) pair.value = document.createNode(null);
    },
  });
}

function plain(node: ComposeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return new Map([...node.entries].map(([name, member]) => [name, plain(member)]));
}
