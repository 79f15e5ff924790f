/** One rule that can be taken out. */
export interface Mutant {
  readonly id: string;
  /** `compose-volume-rules.ts:30`. */
  readonly place: string;
  /** What is taken out, as it stands there. */
  readonly what: string;
}

/** Which rule is out at the moment, and which were consulted since the last look. Instrumented sources ask it. */
export class Switches {
  out: string | undefined;
  readonly consulted = new Set<string>();
  readonly mutants = new Map<string, Mutant>();

  /** Whether this rule is in. */
  keep(id: string): boolean {
    this.consulted.add(id);
    return this.out !== id;
  }

  /** The rule of a key, as the table has it; taken out, the key is as good as allowed. */
  rule<T extends { readonly verdict: string }>(rule: T | undefined, pattern: string): T | undefined {
    if (rule === undefined || this.keep(`verdict ${pattern}`)) return rule;
    return { ...rule, verdict: 'allow' };
  }

  /** The keys that are known below each pattern; taken out, a key is unknown. */
  keys(known: ReadonlyMap<string, ReadonlySet<string>>): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map([...known].map(([pattern, keys]) => [pattern, this.set(keys, (key) => `key ${pattern === '' ? key : `${pattern}.${key}`}`)]));
  }

  /** A set of which every element is a rule. */
  set(elements: ReadonlySet<string>, idOf: (element: string) => string): ReadonlySet<string> {
    const set = new Set(elements);
    const has = set.has.bind(set);
    set.has = (element): boolean => has(element) && this.keep(idOf(element));
    return set;
  }
}
