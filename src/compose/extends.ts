import { quoted } from '../image/quoted.ts';
import { type ComposeNode, type ListNode, type MapNode, member } from './compose-node.ts';
import { type ComposeProblem, formatPath } from './compose-problem.ts';

/** Services that extend each other in a row at most. */
const MAX_DEPTH = 8;

/** Lists that replace their base's instead of following them (Compose Specification, 13-merge). */
const REPLACED: ReadonlySet<string> = new Set(['command', 'entrypoint', 'test']);
/** Lists that may be written as a single text. */
const ONE_OR_MANY: ReadonlySet<string> = new Set(['dns', 'dns_opt', 'dns_search', 'tmpfs']);

export interface Extended {
  readonly root: MapNode;
  readonly problems: readonly ComposeProblem[];
}

/**
 * Writes out `extends` of services of the same file: the service's own values on top of those of its base. Nothing else is read;
 * `extends.file` is a problem. What is brought in keeps the place where it is written.
 */
export function resolveExtends(root: MapNode): Extended {
  const services = member(root, 'services');
  if (services?.kind !== 'map') return { root, problems: [] };
  const resolver = new Resolver(services);
  const entries = new Map([...services.entries].map(([name, node]) => [name, resolver.resolve(name, node, [])]));
  return { root: { ...root, entries: new Map([...root.entries, ['services', { ...services, entries }]]) }, problems: resolver.problems };
}

class Resolver {
  readonly problems: ComposeProblem[] = [];
  readonly #services: MapNode;
  readonly #done = new Map<string, ComposeNode>();

  constructor(services: MapNode) {
    this.#services = services;
  }

  /** `above`: the services that extend this one, and wait for it. */
  resolve(name: string, node: ComposeNode, above: readonly string[]): ComposeNode {
    const known = this.#done.get(name);
    if (known !== undefined) return known;
    const result = this.#resolve(name, node, above);
    this.#done.set(name, result);
    return result;
  }

  #resolve(name: string, node: ComposeNode, above: readonly string[]): ComposeNode {
    if (node.kind !== 'map' || !node.entries.has('extends')) return node;
    const own: MapNode = { ...node, entries: new Map([...node.entries].filter(([key]) => key !== 'extends')) };
    const target = this.#target(node);
    if (target === undefined) return own;
    const base = this.#services.entries.get(target.name);
    const chain = [...above, name];
    if (base === undefined) return this.#complain(own, target.at, `there is no service ${quoted(target.name)} in the file to extend`);
    if (chain.includes(target.name)) return this.#complain(own, target.at, 'the services extend each other in a circle');
    if (chain.length >= MAX_DEPTH) return this.#complain(own, target.at, `more than ${String(MAX_DEPTH)} services extend each other in a row`);
    const resolved = this.resolve(target.name, base, chain);
    return resolved.kind === 'map' ? merge(resolved, own, '') : own;
  }

  /** The service that is extended; undefined where it is none of the file, which is told. */
  #target(node: MapNode): { readonly name: string; readonly at: ComposeNode } | undefined {
    const at = member(node, 'extends');
    const file = member(at, 'file');
    if (file !== undefined) {
      const text = `${formatPath(file.path)}: would read another file; write the values of that service into this file`;
      this.problems.push({ code: 'compose.refused-key', path: file.path, line: file.line, text });
      return undefined;
    }
    const service = at?.kind === 'map' ? member(at, 'service') : at;
    if (service?.kind === 'scalar' && typeof service.value === 'string' && service.open !== true) return { name: service.value, at: service };
    const { path, line } = at ?? node;
    if (!(service?.kind === 'scalar' && service.open === true)) this.#complain(node, { path, line }, 'names no service of the file');
    return undefined;
  }

  #complain(node: MapNode, { path, line }: Pick<ComposeNode, 'path' | 'line'>, why: string): MapNode {
    this.problems.push({ code: 'compose.reference', path, line, text: `${formatPath(path)}: ${why}` });
    return node;
  }
}

/** `over` on top of `base`. */
function merge(base: MapNode, over: MapNode, parent: string): MapNode {
  const entries = new Map(base.entries);
  for (const [name, value] of over.entries) {
    const before = entries.get(name);
    entries.set(name, before === undefined ? value : mergeValues(before, value, name, parent));
  }
  return { ...over, entries };
}

function mergeValues(base: ComposeNode, over: ComposeNode, name: string, parent: string): ComposeNode {
  if (REPLACED.has(name) && (parent === '' || parent === 'healthcheck')) return over;
  // nothing takes nothing away
  if (over.kind === 'scalar' && over.value === null) return base;
  const single = parent === '' && ONE_OR_MANY.has(name);
  const [first, second] = single ? [asList(base), asList(over)] : [base, over];
  const [below, above] = first.kind === second.kind ? [first, second] : [asMap(first, name), asMap(second, name)];
  if (below.kind === 'map' && above.kind === 'map') return merge(below, above, name);
  if (first.kind !== 'list' || second.kind !== 'list') return over;
  const items: ListNode['items'] = [...first.items, ...second.items];
  return { ...second, items };
}

function asList(node: ComposeNode): ComposeNode {
  return node.kind === 'scalar' && node.value !== null ? { kind: 'list', items: [node], path: node.path, line: node.line } : node;
}

/** A list of `NAME=value` or of names, of hosts `NAME:address` too, as the mapping that it stands for; anything else as it is. */
function asMap(node: ComposeNode, name: string): ComposeNode {
  if (node.kind !== 'list') return node;
  const separator = name === 'extra_hosts' ? /[=:]/ : /=/;
  const entries = new Map<string, ComposeNode>();
  for (const item of node.items) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return node;
    const at = item.value.search(separator);
    entries.set(at === -1 ? item.value : item.value.slice(0, at), { ...item, value: at === -1 ? null : item.value.slice(at + 1) });
  }
  return { kind: 'map', entries, path: node.path, line: node.line };
}
