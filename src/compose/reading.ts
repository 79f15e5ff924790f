import { type ComposeNode, type MapNode, member, type Place } from './compose-node.ts';
import { type ComposeProblem, formatPath } from './compose-problem.ts';
import type { Said } from './compose-file.ts';
import { NotWords, shellWords } from './shell-words.ts';

/** Compose's own reading of booleans (compose-go interpolation casts), in any letter case. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', '1', 'y', 'yes', 'on'].map((text) => [text, true] as const),
  ...['false', 'f', '0', 'n', 'no', 'off'].map((text) => [text, false] as const),
]);
const SIZE = /^(\d{1,16}(?:\.\d{1,6})?)\s?([kmgtp]?)i?b?$/i;
const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };
const DURATION = /^(?:(\d{1,7}(?:\.\d{1,9})?)h)?(?:(\d{1,9}(?:\.\d{1,9})?)m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,12}(?:\.\d{1,9})?)ms)?(?:(\d{1,15})us)?$/;
const MILLISECONDS = [3_600_000, 60_000, 1000, 1, 0.001];

/**
 * Reads values out of nodes with the casts that Compose makes after interpolation (`privileged: "yes"` is true). What has another
 * form is a problem, and undefined; what a variable leaves open is undefined, because that was told already. Null is absent.
 */
export class Reading {
  readonly problems: ComposeProblem[] = [];

  /** Tells that a value does not have the form of its key. */
  wrong({ path, line }: Place, form: string): undefined {
    this.problems.push({ code: 'compose.form', path, line, text: `${formatPath(path)} must be ${form}` });
    return undefined;
  }

  text(node: ComposeNode | undefined): Said<string> | undefined {
    return this.#scalar(node, 'a text', String);
  }

  flag(node: ComposeNode | undefined): Said<boolean> | undefined {
    return this.#scalar(node, 'true or false', (value) => (typeof value === 'boolean' ? value : BOOLEANS.get(String(value).toLowerCase())));
  }

  /** A whole number, negative ones too. */
  integer(node: ComposeNode | undefined): Said<number> | undefined {
    return this.#scalar(node, 'a whole number', (value) => (/^[+-]?\d{1,15}$/.test(String(value)) ? Number(value) : undefined));
  }

  decimal(node: ComposeNode | undefined): Said<number> | undefined {
    return this.#scalar(node, 'a number', (value) => (/^-?\d{1,15}(?:\.\d{1,15})?$/.test(String(value)) ? Number(value) : undefined));
  }

  /** Bytes; a bare number is bytes, units are binary, -1 is kept. */
  size(node: ComposeNode | undefined): Said<number> | undefined {
    return this.#scalar(node, 'a size such as 512m or 2g', sizeOf);
  }

  /** Milliseconds, from `1m30s`. */
  duration(node: ComposeNode | undefined): Said<number> | undefined {
    return this.#scalar(node, 'a duration such as 30s or 1m30s', durationOf);
  }

  /** A file mode: an octal number in quotes or with `0o`. Unquoted `0440` is 440 to YAML 1.2 and octal to Compose: refused. */
  mode(node: ComposeNode | undefined): Said<number> | undefined {
    return this.#scalar(node, 'a mode in quotes, such as "0440"', (value) => {
      if (typeof value === 'string') return /^0?o?[0-7]{3,4}$/.test(value) ? parseInt(value.replace('o', ''), 8) : undefined;
      return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0o777 && !/^[0-7]{3}$/.test(String(value)) ? value : undefined;
    });
  }

  /** A list of words, or a text that is split as Compose does it, which no shell ever sees. */
  words(node: ComposeNode | undefined): Said<readonly string[]> | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'map') return this.wrong(node, 'a list of words, or one text');
    if (node.kind === 'scalar') {
      return this.#scalar(node, 'a command whose quotes are closed, without what only a shell acts on, ; & | < > ( ), outside of them; for a shell write ["sh", "-c", "…"]', (value) => {
        try {
          return shellWords(String(value));
        } catch (error) {
          if (!(error instanceof NotWords)) throw error;
          return undefined;
        }
      });
    }
    const items = this.texts(node);
    return items.length === node.items.length ? { value: items.map(({ value }) => value), path: node.path, line: node.line } : undefined;
  }

  /** A list of texts, or a single one. */
  texts(node: ComposeNode | undefined): readonly Said<string>[] {
    if (node === undefined) return [];
    const items = node.kind === 'list' ? node.items : [node];
    return items.map((item) => this.text(item)).filter((said) => said !== undefined);
  }

  /** Texts by name, from a mapping or from a list of `NAME=value`, the later of two; null where there is no value. */
  pairs(node: ComposeNode | undefined, separator = '='): ReadonlyMap<string, Said<string | null>> {
    const pairs = new Map<string, Said<string | null>>();
    if (node?.kind === 'map') {
      for (const [name, value] of node.entries) {
        const text = isNull(value) ? { ...placeOf(value), value: null } : this.text(value);
        if (text !== undefined) pairs.set(name, text);
      }
      return pairs;
    }
    if (node?.kind === 'scalar') this.wrong(node, `a mapping, or a list of NAME${separator}value`);
    for (const { value, ...place } of node === undefined ? [] : this.texts(node)) {
      const at = value.indexOf(separator);
      pairs.set(at === -1 ? value : value.slice(0, at), { ...place, value: at === -1 ? null : value.slice(at + 1) });
    }
    return pairs;
  }

  /** The members of a mapping; of nothing, none. */
  members(node: ComposeNode | undefined, form = 'a mapping'): MapNode['entries'] {
    if (node?.kind === 'map') return node.entries;
    if (node !== undefined && !isNull(node) && !isOpen(node)) this.wrong(node, form);
    return new Map();
  }

  /** The items of a list; of nothing, none. */
  items(node: ComposeNode | undefined): readonly ComposeNode[] {
    if (node === undefined || isNull(node) || isOpen(node)) return [];
    if (node.kind === 'list') return node.items;
    this.wrong(node, 'a list');
    return [];
  }

  #scalar<T>(node: ComposeNode | undefined, form: string, cast: (value: string | number | boolean) => T | undefined): Said<T> | undefined {
    if (node === undefined || isNull(node) || isOpen(node)) return undefined;
    if (node.kind !== 'scalar' || node.value === null) return this.wrong(node, form);
    if (node.octal === true) return this.wrong(node, `${form}; it begins with 0, which makes it another number to Compose: put it in quotes`);
    const value = cast(node.value);
    return value === undefined ? this.wrong(node, form) : { value, path: node.path, line: node.line };
  }
}

/** The place of a node, without the node. */
export function placeOf({ path, line }: Place): Place {
  return { path, line };
}

/** As `member`, deeper: `deploy`, `resources`, `limits`. */
export function memberAt(node: ComposeNode | undefined, ...names: readonly string[]): ComposeNode | undefined {
  return names.reduce<ComposeNode | undefined>(member, node);
}

/** Bytes of a size as Compose writes it; undefined where it is none. */
export function sizeOf(value: string | number | boolean): number | undefined {
  if (value === -1 || value === '-1') return -1;
  const match = SIZE.exec(String(value).trim());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * (FACTORS[(match[2] ?? '').toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function durationOf(value: string | number | boolean): number | undefined {
  const match = typeof value === 'string' ? DURATION.exec(value) : null;
  if (match === null || value === '') return value === 0 || value === '0' ? 0 : undefined;
  return MILLISECONDS.reduce((sum, factor, i) => sum + Number(match[i + 1] ?? 0) * factor, 0);
}

function isNull(node: ComposeNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

function isOpen(node: ComposeNode): boolean {
  return node.kind === 'scalar' && node.open === true;
}
