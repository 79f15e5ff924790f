import { type ComposeNode, type MapNode, member } from '../compose/compose-node.ts';
import { type ComposePath, type ComposeProblem, type ComposeWarning, type Edit, formatPath } from '../compose/compose-problem.ts';
import { Reading } from '../compose/reading.ts';
import type { KeyRule } from './compose-key-rule.ts';
import { COMPOSE_KEYS } from './compose-keys.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { variableName } from './compose-refusal.ts';

/** What a file says that it may not, or that nobody acts on. */
export interface KeyJudgement {
  readonly problems: readonly ComposeProblem[];
  readonly warnings: readonly ComposeWarning[];
}

/** Names of services, networks, volumes, configs and secrets: those that Compose takes, and that the engine and DNS can hold. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const NAMED: ReadonlySet<string> = new Set(['services', 'networks', 'volumes', 'configs', 'secrets']);

/** Pattern -> keys that may stand there; `*` = any. */
const KEYS_AT: ReadonlyMap<string, ReadonlySet<string>> = childrenOf(Object.keys(COMPOSE_KEYS));

/** Looks at every key of a file, in whatever place and however it came there, by the table. */
export function judgeKeys(root: MapNode, knobs: ComposeKnobs): KeyJudgement {
  const judge = new KeyJudge(knobs);
  judge.map(root, '');
  return judge;
}

class KeyJudge implements KeyJudgement {
  readonly problems: ComposeProblem[] = [];
  readonly warnings: ComposeWarning[] = [];
  readonly #knobs: ComposeKnobs;

  constructor(knobs: ComposeKnobs) {
    this.#knobs = knobs;
  }

  map(node: MapNode, pattern: string): void {
    const known = KEYS_AT.get(pattern);
    for (const [key, value] of node.entries) {
      const name = known?.has(key) === true ? key : known?.has('*') === true ? '*' : undefined;
      const child = pattern === '' ? (name ?? '') : `${pattern}.${name ?? ''}`;
      if (name === undefined && key.startsWith('x-')) continue;
      if (NAMED.has(pattern) && !NAME.test(key)) this.#badName(value);
      else if (name === undefined) this.#unknown(value, [...(known ?? [])]);
      else this.#judge(COMPOSE_KEYS[child], value, child, node);
    }
  }

  #judge(rule: KeyRule | undefined, value: ComposeNode, pattern: string, parent: MapNode): void {
    if (rule === undefined || rule.verdict === 'allow' || rule.verdict === 'constrain') this.#inside(value, pattern);
    else if (rule.verdict === 'ignore') this.#warn(value, rule.why);
    else if (this.#saysNothing(rule, value, pattern, parent)) return;
    else if (this.#knobs.ignore.includes(pattern)) this.#warn(value, `${rule.why}; this site passes it over`);
    else this.#refuse(rule, value, pattern, parent);
  }

  #inside(value: ComposeNode, pattern: string): void {
    if (value.kind === 'map' && KEYS_AT.has(pattern)) this.map(value, pattern);
    if (value.kind !== 'list' || !KEYS_AT.has(`${pattern}[]`)) return;
    for (const item of value.items) if (item.kind === 'map') this.map(item, `${pattern}[]`);
  }

  /** False by whatever word; a value that is still open, which was told; an external thing that the site offers. */
  #saysNothing(rule: KeyRule, value: ComposeNode, pattern: string, parent: MapNode): boolean {
    if (value.kind === 'scalar' && value.open === true) return true;
    if (rule.unlessFalse === true && value.kind === 'scalar' && new Reading().flag(value)?.value === false) return true;
    const [section = '', , key] = pattern.split('.');
    if ((section !== 'networks' && section !== 'volumes') || (key !== 'external' && key !== 'name')) return false;
    const name = externalName(parent);
    return name !== undefined && this.#knobs[section].includes(name);
  }

  #refuse(rule: KeyRule, value: ComposeNode, pattern: string, parent: MapNode): void {
    const { path, line } = value;
    const code = pattern === 'services.*.build' ? 'compose.build' : pattern.endsWith('.external') ? 'compose.external' : 'compose.refused-key';
    const edits = rule.correction === undefined ? {} : { edits: corrections(rule.correction, path, parent) };
    this.problems.push({ code, path, line, text: `${formatPath(path)}: ${rule.why}; ${rule.instead ?? 'leave it out'}`, ...edits });
  }

  #unknown({ path, line }: ComposeNode, known: readonly string[]): void {
    const key = String(path.at(-1));
    const near = known.find((each) => each.replace(/[_-]/g, '') === key.toLowerCase().replace(/[_-]/g, ''));
    const hint = near === undefined ? 'leave it out' : `did you mean ${near}?`;
    this.problems.push({ code: 'compose.unknown-key', path, line, text: `${formatPath(path)} is no key of the Compose Specification; ${hint}`, edits: [{ do: 'remove', path }] });
  }

  #badName({ path, line }: ComposeNode): void {
    const text = `${formatPath(path)}: a name has 1 to 63 letters, digits, ".", "_" or "-" and begins with a letter or digit`;
    this.problems.push({ code: 'compose.form', path, line, text });
  }

  #warn({ path, line }: ComposeNode, why: string): void {
    this.warnings.push({ path, line, text: `${formatPath(path)} is not acted on: ${why}` });
  }
}

/** The name that an external network or volume has on the engine; undefined where it is the file's own. */
function externalName(node: MapNode): string | undefined {
  const external = member(node, 'external');
  if (external?.kind !== 'scalar' || new Reading().flag(external)?.value !== true) return undefined;
  const named = member(node, 'name');
  return named === undefined ? String(node.path.at(-1)) : new Reading().text(named)?.value;
}

function corrections(correction: NonNullable<KeyRule['correction']>, path: ComposePath, parent: MapNode): readonly Edit[] {
  const removed: Edit = { do: 'remove', path };
  const [, name = ''] = path;
  const variable = (suffix: string): string => `\${${variableName(String(name))}${suffix}}`;
  if (correction === 'image' && member(parent, 'image') === undefined) return [removed, { do: 'add', path: [...path.slice(0, -1), 'image'], value: variable('_IMAGE') }];
  if (correction === 'content') return [removed, { do: 'add', path: [...path.slice(0, -1), 'content'], value: variable('_CONTENT') }];
  if (correction === 'secret' && member(parent, 'content') === undefined) return [removed, { do: 'add', path: [...path.slice(0, -1), 'external'], value: true }];
  return [removed];
}

function childrenOf(keys: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const children = new Map<string, Set<string>>();
  for (const key of keys) {
    const dot = key.lastIndexOf('.');
    const parent = dot === -1 ? '' : key.slice(0, dot);
    children.set(parent, (children.get(parent) ?? new Set()).add(key.slice(dot + 1)));
  }
  return children;
}
