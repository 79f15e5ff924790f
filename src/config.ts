import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { gatewaySchema } from './config-schema.ts';
import { resolveEnginePaths } from './engine/engine-config.ts';
import { identitySchema, resolveIdentityPaths } from './identity/identity-config.ts';
import { plannerSchema } from './planner/planner-config.ts';
import { ACCEPT_NOTHING, loadPolicyFile, parsePolicy, PolicyInvalid, readYaml, withKeyFiles } from './policy/policy-file.ts';
import { type PolicyDocument, policySchema } from './policy/policy-schema.ts';
import { quotaSchema } from './quota/quota-config.ts';
import { registriesSchema, registryClientSchema, resolveRegistryPaths } from './registry/registry-config.ts';

/** The whole of `pratique.yaml`. */
export const configSchema = gatewaySchema.extend({
  registries: registriesSchema.meta({ description: 'Registries that may be asked; no other host ever is.' }),
  registryClient: registryClientSchema.meta({ description: 'How registries are asked.' }),
  policy: z.union([z.string().min(1), policySchema]).optional().meta({ description: 'The policy, or the path of its file, relative to this one.' }),
  planner: plannerSchema,
  quotas: quotaSchema.meta({ description: 'How much everybody may have.' }),
  identity: identitySchema.optional().meta({ description: 'Who may log in, and what anonymous callers may do. Absent = nobody can, and the policy alone decides.' }),
});

type Parsed = z.output<typeof configSchema>;

/** The configuration, complete and frozen: every default set, sizes in bytes, times in seconds, paths absolute. */
export interface Config extends Readonly<Omit<Parsed, 'policy'>> {
  readonly baseUrl: string;
  readonly policy: PolicyDocument;
  /** The policy's own file, to be watched; undefined where it is part of the configuration, or there is none. */
  readonly policyFile: string | undefined;
  /** The configuration's file, undefined where there is none. */
  readonly file: string | undefined;
}

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where: `jobs.slots`, or the name of an environment variable. */
  readonly path: string;
  readonly message: string;
}

/** A configuration that cannot be used; says everything that is wrong at once. */
export class ConfigInvalid extends Error {
  override readonly name = 'ConfigInvalid';
  readonly problems: readonly ConfigProblem[];

  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(`${source} is not valid:\n${problems.map(({ path, message }) => `  ${path === '' ? '(top)' : path}: ${message}`).join('\n')}`);
    this.problems = problems;
  }
}

/** What the environment may override: variable -> path in the file. */
export const ENVIRONMENT: Readonly<Record<string, readonly [string, ...string[]]>> = {
  PRATIQUE_LISTEN_HOST: ['listen', 'host'],
  PRATIQUE_LISTEN_PORT: ['listen', 'port'],
  PRATIQUE_BASE_URL: ['baseUrl'],
  PRATIQUE_DATA: ['data'],
  PRATIQUE_LOG: ['log'],
  PRATIQUE_POLICY: ['policy'],
  PRATIQUE_ENGINE_HOST: ['engine', 'host'],
  PRATIQUE_JOBS_SLOTS: ['jobs', 'slots'],
};

/** The variable that names the configuration's file, where no option does. */
export const CONFIG_VARIABLE = 'PRATIQUE_CONFIG';

/**
 * The configuration from a file (none = all defaults, which accept no image) and the environment, which wins. Relative
 * paths are relative to the file, or to the working directory without one. Throws ConfigInvalid.
 */
export async function loadConfig(file: string | undefined, environment: NodeJS.ProcessEnv): Promise<Config> {
  const source = file ?? 'the configuration';
  const directory = file === undefined ? process.cwd() : dirname(resolve(file));
  const document = file === undefined ? {} : await readDocument(file);
  const problems = override(document, environment);
  const result = configSchema.safeParse(document);
  problems.push(...(result.error?.issues ?? []).map(({ path, message }) => ({ path: toldBy(pathOf(path), environment), message })), ...contradictions(result.data));
  if (!result.success || problems.length > 0) throw new ConfigInvalid(source, problems);
  const { policy, ...rest } = result.data;
  return freeze({
    ...rest,
    data: resolve(directory, rest.data),
    listen: { ...rest.listen, ...(rest.listen.tls === undefined ? {} : { tls: { certificate: resolve(directory, rest.listen.tls.certificate), key: resolve(directory, rest.listen.tls.key) } }) },
    engine: resolveEnginePaths(rest.engine, directory),
    registries: resolveRegistryPaths(rest.registries, directory),
    identity: rest.identity === undefined ? undefined : resolveIdentityPaths(rest.identity, directory),
    baseUrl: (rest.baseUrl ?? `http${rest.listen.tls === undefined ? '' : 's'}://${host(rest.listen.host)}:${String(rest.listen.port)}`).replace(/\/+$/, ''),
    policy: await loadPolicy(policy, document['policy'], directory, source),
    policyFile: typeof policy === 'string' ? resolve(directory, policy) : undefined,
    file: file === undefined ? undefined : resolve(file),
  });
}

async function readDocument(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigInvalid(file, [{ path: '', message: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}` }]);
  }
  const document = inConfig(file, () => readYaml(text)) ?? {};
  if (typeof document === 'object' && !Array.isArray(document)) return document as Record<string, unknown>;
  throw new ConfigInvalid(file, [{ path: '', message: 'must be a mapping' }]);
}

/** What is right by itself, and not together. */
function contradictions(parsed: Parsed | undefined): ConfigProblem[] {
  if (parsed?.engine.portainer === undefined) return [];
  const told = parsed.registries.flatMap(({ callerLogins }, i) => (callerLogins ? [i] : []));
  return told.map((i) => ({ path: `registries[${String(i)}].callerLogins`, message: 'is not possible behind engine.portainer: Portainer hands no login on to a registry' }));
}

/** Puts the environment's values in their places. Returns what is wrong with the variables' names. */
function override(document: Record<string, unknown>, environment: NodeJS.ProcessEnv): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('PRATIQUE_') || name === CONFIG_VARIABLE || text === undefined) continue;
    const path = Object.hasOwn(ENVIRONMENT, name) ? ENVIRONMENT[name] : undefined;
    if (path === undefined) {
      problems.push({ path: name, message: `is not a variable of Pratique's; there are ${Object.keys(ENVIRONMENT).join(', ')}` });
      continue;
    }
    const [first, second] = path;
    const value = /^\d+$/.test(text) ? Number(text) : text;
    const section = document[first];
    if (second === undefined) document[first] = value;
    else document[first] = { ...(typeof section === 'object' ? section : {}), [second]: value };
  }
  return problems;
}

async function loadPolicy(parsed: Parsed['policy'], written: unknown, directory: string, source: string): Promise<PolicyDocument> {
  if (parsed === undefined) return ACCEPT_NOTHING;
  if (typeof parsed === 'string') return loadPolicyFile(resolve(directory, parsed));
  return withKeyFiles(inConfig(source, () => parsePolicy(written)), directory);
}

/** A policy's problems, told as the configuration's. */
function inConfig<T>(source: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof PolicyInvalid) throw new ConfigInvalid(source, error.problems);
    throw error;
  }
}

function host(name: string): string {
  const everywhere = name === '0.0.0.0' || name === '::';
  return everywhere ? 'localhost' : name.includes(':') ? `[${name}]` : name;
}

/** The path, with the variable before it that has put its value there. */
function toldBy(path: string, environment: NodeJS.ProcessEnv): string {
  const [variable] = Object.entries(ENVIRONMENT).find(([name, parts]) => parts.join('.') === path && environment[name] !== undefined) ?? [];
  return variable === undefined ? path : `${variable} (${path})`;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${String(part)}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('');
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null && !Object.isFrozen(member)) freeze(member as object);
  return Object.freeze(value);
}
