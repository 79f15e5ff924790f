import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CORE_SCHEMA, load, YAMLException } from 'js-yaml';
import type { z } from 'zod';
import { inconsistencies, type PolicyProblem } from './policy-consistency.ts';
import { type PolicyDocument, policySchema } from './policy-schema.ts';
import { publicKeyProblem } from './public-key.ts';
import { MAX_TRUSTED_ROOT, trustedRootProblem } from './trusted-root.ts';

export type { PolicyProblem } from './policy-consistency.ts';

/** Largest policy file (bytes): ten thousand bases fit. */
const MAX_FILE = 4 * 1024 * 1024;
const MAX_KEY_FILE = 16 * 1024;
const YAML_LIMITS = { schema: CORE_SCHEMA, maxDepth: 32, maxAliases: 100 } as const;

/** A policy that cannot be used; says everything that is wrong with it at once. */
export class PolicyInvalid extends Error {
  override readonly name = 'PolicyInvalid';
  readonly problems: readonly PolicyProblem[];

  /** `source`: the policy's own file, where it has one. */
  constructor(problems: readonly PolicyProblem[], source = 'the policy') {
    super(`${source} is not valid:\n${problems.map(({ path, message }) => `  ${path === '' ? '(top)' : path}: ${message}`).join('\n')}`);
    this.problems = problems;
  }
}

/** What `npm start` without a file decides by: no image is accepted. */
export const ACCEPT_NOTHING: PolicyDocument = { rules: [] };

/** A policy from a value, a section of a larger file for example. Throws PolicyInvalid. */
export function parsePolicy(value: unknown): PolicyDocument {
  const parsed = policySchema.safeParse(value);
  const problems = [...(parsed.error?.issues ?? []).flatMap(problemsOf), ...inconsistencies(value)];
  if (!parsed.success || problems.length > 0) throw new PolicyInvalid(problems);
  return parsed.data;
}

/** A policy from YAML (1.2, core schema) or JSON text. Throws PolicyInvalid. */
export function parsePolicyText(text: string): PolicyDocument {
  return parsePolicy(readYaml(text));
}

/** YAML text as a value, within the limits that hold for everything an operator writes. Throws PolicyInvalid. */
export function readYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_FILE) throw new PolicyInvalid([{ path: '', message: `is larger than ${String(MAX_FILE)} bytes` }]);
  try {
    return load(text, YAML_LIMITS);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = error.mark === undefined ? '' : `line ${String(error.mark.line + 1)}: `;
    throw new PolicyInvalid([{ path: '', message: `${line}${error.reason}` }]);
  }
}

/** The policy in a file, with the key files it names (relative to it) read in. Throws PolicyInvalid. */
export async function loadPolicyFile(path: string): Promise<PolicyDocument> {
  try {
    const document = parsePolicyText(await readText(path, MAX_FILE, ''));
    return await withKeyFiles(document, dirname(path));
  } catch (error) {
    throw error instanceof PolicyInvalid ? new PolicyInvalid(error.problems, path) : error;
  }
}

/**
 * The policy with the content of every publicKeyFile and trustedRootFile in its place, so that its hash says who was trusted.
 * Paths are relative to `directory`. Throws PolicyInvalid.
 */
export async function withKeyFiles(document: PolicyDocument, directory: string): Promise<PolicyDocument> {
  const problems: PolicyProblem[] = [];
  const read = async (file: string, limit: number, path: string, problemOf: (text: string) => string | undefined): Promise<string> => {
    try {
      const content = await readText(resolve(directory, file), limit, path);
      const message = problemOf(content);
      if (message !== undefined) problems.push({ path, message });
      return content;
    } catch (error) {
      if (!(error instanceof PolicyInvalid)) throw error;
      problems.push(...error.problems);
      return '';
    }
  };
  const keys = (document.keys ?? []).map(async ({ publicKeyFile, ...key }, i) => {
    if (publicKeyFile === undefined) return key;
    return { ...key, publicKey: await read(publicKeyFile, MAX_KEY_FILE, `keys[${String(i)}].publicKeyFile`, publicKeyProblem) };
  });
  const identities = (document.identities ?? []).map(async ({ trustedRootFile, ...identity }, i) => {
    if (trustedRootFile === undefined) return identity;
    return { ...identity, trustedRoot: await read(trustedRootFile, MAX_TRUSTED_ROOT, `identities[${String(i)}].trustedRootFile`, trustedRootProblem) };
  });
  const whole = {
    ...document,
    ...(document.keys === undefined ? {} : { keys: await Promise.all(keys) }),
    ...(document.identities === undefined ? {} : { identities: await Promise.all(identities) }),
  };
  if (problems.length > 0) throw new PolicyInvalid(problems);
  return whole;
}

async function readText(file: string, limit: number, path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new PolicyInvalid([{ path, message: `cannot be read: ${error instanceof Error ? error.message : String(error)}` }]);
  }
  if (bytes.length > limit) throw new PolicyInvalid([{ path, message: `is larger than ${String(limit)} bytes` }]);
  return bytes.toString('utf8');
}

function problemsOf(issue: z.core.$ZodIssue): PolicyProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathText([...issue.path, key]), message: 'is not a key that is known here' }));
  }
  return [{ path: pathText(issue.path), message: issue.message }];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${String(part)}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
