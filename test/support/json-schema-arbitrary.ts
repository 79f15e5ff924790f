import fc from 'fast-check';

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: { readonly required?: readonly string[] };
}

/** Documents that fit a JSON Schema, of the part of JSON Schema that we publish. `instants`: what a date-time may be here. */
export function arbitraryOf(schema: Schema, instants: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const of = (part: Schema): fc.Arbitrary<unknown> => arbitraryOf(part, instants);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(of));
  if (schema.allOf !== undefined) return merged(schema.allOf, instants);
  switch (schema.type ?? '') {
    case 'string':
      return schema.format === 'date-time' ? instants : text(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 2 ** 40, 2 ** 31) });
    case 'number':
      return fc.integer({ min: 1, max: 999_999_000 }).map((thousandths) => thousandths / 1000);
    case 'array':
      return fc.array(of(schema.items ?? {}), { maxLength: 3 });
    case 'object':
      return object(schema, of);
    default:
      throw new Error(`no idea how to make ${JSON.stringify(schema)}`);
  }
}

function text({ pattern, maxLength = 50 }: Schema): fc.Arbitrary<string> {
  const fits = (made: string): boolean => [...made].length <= maxLength && (pattern === undefined || new RegExp(pattern, 'u').test(made));
  // fast-check makes strings of an expression, unless it looks ahead or has classes of code points
  if (pattern !== undefined && !/\(\?!|\\u/.test(pattern)) return fc.stringMatching(new RegExp(pattern, 'u')).filter(fits);
  return fc.string({ unit: 'grapheme', maxLength: 20 }).filter(fits);
}

/** All at once: made by the first, kept if it fits the others. */
function merged(parts: readonly Schema[], instants: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const [first = {}, ...rest] = parts;
  return arbitraryOf(first, instants).filter((made) => rest.every(({ pattern }) => pattern === undefined || new RegExp(pattern, 'u').test(String(made))));
}

function object(schema: Schema, of: (part: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const model = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, of(part)]));
  const [pattern, part] = Object.entries(schema.patternProperties ?? {})[0] ?? [];
  const more = pattern === undefined || part === undefined ? fc.constant({}) : fc.dictionary(fc.stringMatching(new RegExp(pattern)), of(part), { maxKeys: 2 });
  return fc
    .tuple(fc.record(model, { requiredKeys: [...(schema.required ?? [])] as never[] }), more)
    .map(([named, matching]) => ({ ...matching, ...named }))
    .filter((made) => !(schema.not?.required ?? ['\0']).every((name) => name in made))
    // names are the same in any letter case, which JSON Schema cannot say
    .filter((made) => new Set(Object.keys(made).map((name) => name.toUpperCase())).size === Object.keys(made).length);
}
