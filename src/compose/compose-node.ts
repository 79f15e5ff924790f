import type { ComposePath } from './compose-problem.ts';

export type ScalarValue = string | number | boolean | null;

/** Where a value stands: its path once aliases and merge keys are written out, and the line of its key or item. */
export interface Place {
  readonly path: ComposePath;
  readonly line: number;
}

export interface ScalarNode extends Place {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
  /** A variable in it has no value, so that nothing can be said about this one yet. */
  readonly open?: true;
  /** A number that is written with a 0 before it: octal to Compose, and not to YAML 1.2. */
  readonly octal?: true;
}

export interface ListNode extends Place {
  readonly kind: 'list';
  readonly items: readonly ComposeNode[];
}

export interface MapNode extends Place {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, ComposeNode>;
}

/** A value of a compose file. A Map has no prototype: no name in it means anything by itself. */
export type ComposeNode = ScalarNode | ListNode | MapNode;

/** The same tree with every scalar replaced by what `change` makes of it. Structure and places stay. */
export function mapScalars(node: ComposeNode, change: (scalar: ScalarNode) => ScalarNode): ComposeNode {
  if (node.kind === 'scalar') return change(node);
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => mapScalars(item, change)) };
  return mapScalarsOf(node, change);
}

/** As mapScalars, of a mapping. */
export function mapScalarsOf(node: MapNode, change: (scalar: ScalarNode) => ScalarNode): MapNode {
  return { ...node, entries: new Map([...node.entries].map(([name, member]) => [name, mapScalars(member, change)])) };
}

/** The member of that name, if `node` has members at all; null counts as absent, as it does in Compose. */
export function member(node: ComposeNode | undefined, name: string): ComposeNode | undefined {
  const found = node?.kind === 'map' ? node.entries.get(name) : undefined;
  return found?.kind === 'scalar' && found.value === null ? undefined : found;
}
