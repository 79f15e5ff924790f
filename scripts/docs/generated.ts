import { z } from 'zod';
import { CONFIG_VARIABLE, configSchema, ENVIRONMENT } from '../../src/config.ts';
import { ERRORS } from '../../src/errors.ts';
import { policySchema } from '../../src/policy/policy-schema.ts';

interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

const NOTE = 'Made from the program by `npm run docs`; a test holds that it is current.';

/** Documentation that is made from what really runs: file -> content. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', configuration()],
    ['docs/errors.md', errors()],
    ['docs/schemas/pratique.schema.json', json(schemaOf(configSchema))],
    ['docs/schemas/policy.schema.json', json(schemaOf(policySchema))],
  ]);
}

function schemaOf(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function configuration(): string {
  const rows = keysOf('', schemaOf(configSchema)).map(({ path, schema }) => `| \`${path}\` | ${typeOf(schema)} | ${defaultOf(schema)} | ${schema.description ?? ''} |`);
  const variables = Object.entries(ENVIRONMENT).map(([name, path]) => `| \`${name}\` | \`${path.join('.')}\` |`);
  return `# Configuration
${NOTE}

One YAML file, \`pratique.yaml\`, named by \`--config\` or \`${CONFIG_VARIABLE}\`. Without one the gateway serves on 127.0.0.1:8080 with a policy that
accepts nothing. Every problem is reported at once, with its path; unknown keys are errors. Sizes are written \`512M\`, \`2G\` (binary); durations \`30s\`,
\`5m\`, \`12h\`, \`7d\` or ISO 8601. Paths are relative to the file. JSON Schemas: [pratique](schemas/pratique.schema.json), [policy](schemas/policy.schema.json).

| key | form | default | meaning |
|---|---|---|---|
${rows.join('\n')}

What the environment may override:

| variable | key |
|---|---|
${variables.join('\n')}
`;
}

function errors(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, title }]) => `| \`${code}\` | ${String(status)} | ${title} |`);
  return `# Errors
${NOTE}

As text: one line, \`Code: what is wrong\`. As JSON, where JSON is preferred: RFC 9457 \`application/problem+json\`.

| code | status | meaning |
|---|---|---|
${rows.join('\n')}
`;
}

interface Key {
  readonly path: string;
  readonly schema: Schema;
}

/** Every key, sections before their members; the policy has its own page. */
function keysOf(prefix: string, schema: Schema): readonly Key[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (path === 'policy') return [{ path, schema: { type: 'path or mapping', description: member.description ?? '' } }];
    const list = member.type === 'array' ? keysOf(`${path}[]`, member.items ?? {}) : [];
    return [{ path, schema: member }, ...keysOf(path, member), ...list];
  });
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ');
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  const type = String(schema.type ?? 'any');
  return type === 'object' ? 'mapping' : type === 'array' ? 'list' : type;
}

function defaultOf({ default: value, type }: Schema): string {
  if (value === undefined || type === 'object') return '';
  return `\`${JSON.stringify(value)}\``;
}
