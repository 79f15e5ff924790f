import { quoted } from '../image/quoted.ts';
import type { ConfigurationRule } from './rule.ts';
import type { Finding } from './verdict.ts';
import { wildcardMatches } from '../wildcard.ts';

type EnvironmentRule = ConfigurationRule['environment'];

/** What the dynamic linker obeys before the program's own first instruction (ld.so(8)). */
const NEVER_UNASKED = 'LD_*';
/** What the engine sets where an image sets none. */
const ENGINE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Where a job can write: programs are not to be looked for there. */
const WRITABLE = ['/tmp', '/var/tmp', '/work', '/output', '/dev', '/proc'];

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const MAX_VARIABLES = 200;
/** Bytes of all names and values together; the kernel takes 2 MiB for these and the command. */
const MAX_BYTES = 64 * 1024;

/** What is wrong with the variables that an image sets; `basePath` is the PATH of the base it is built on, null = it sets none. */
export function imageEnvironment(env: readonly string[], rule: EnvironmentRule, basePath: string | null | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  for (const entry of env) {
    const name = entry.split('=', 1)[0] ?? '';
    const refuse = (why: string): void => void findings.push({ code: 'image.environment', path: 'image', text: why });
    if (name === '') refuse('the image sets a variable without a name; build it without');
    else if (isForbidden(name, rule)) refuse(`the image sets ${quoted(name)}, which this rule does not allow; build it without`);
    else if (name === 'PATH' && !isAllowed(name, rule)) {
      const problem = pathProblem(entry.slice('PATH='.length), basePath);
      if (problem !== undefined) refuse(problem);
    }
  }
  return findings;
}

/** What is wrong with the variables that a request asks for. */
export function requestEnvironment(env: Readonly<Record<string, string>>, rule: EnvironmentRule): readonly Finding[] {
  const entries = Object.entries(env);
  const findings = entries.flatMap(([name, value]) => variableFindings(name, value, rule));
  const bytes = entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 2, 0);
  if (entries.length > MAX_VARIABLES || bytes > MAX_BYTES) {
    findings.push({ code: 'env.size', path: 'env', text: `at most ${String(MAX_VARIABLES)} variables of ${String(MAX_BYTES)} bytes together can be given; give fewer` });
  }
  return findings;
}

function variableFindings(name: string, value: string, rule: EnvironmentRule): Finding[] {
  const path = `env.${NAME.test(name) ? name : quoted(name)}`;
  if (!NAME.test(name)) return [{ code: 'env.name', path, text: 'the name of a variable is 1 to 128 letters, digits and underscores, the first no digit' }];
  if (value.includes('\0')) return [{ code: 'env.value', path, text: 'the value of a variable cannot have a null character' }];
  if (!isForbidden(name, rule) && (name !== 'PATH' || isAllowed(name, rule))) return [];
  return [{ code: 'env.forbidden', path, text: `the variable ${name} cannot be set under this rule; leave it out` }];
}

/** `deny` counts before `allow`, which lifts only what is refused without being asked. */
function isForbidden(name: string, rule: EnvironmentRule): boolean {
  if (matchesAny(name, rule?.deny)) return true;
  return wildcardMatches(NEVER_UNASKED, name) && !isAllowed(name, rule);
}

function isAllowed(name: string, rule: EnvironmentRule): boolean {
  return matchesAny(name, rule?.allow);
}

function matchesAny(name: string, patterns: readonly string[] | undefined): boolean {
  return patterns?.some((pattern) => wildcardMatches(pattern, name)) ?? false;
}

function pathProblem(path: string, basePath: string | null | undefined): string | undefined {
  if (path === ENGINE_PATH || path === basePath) return undefined;
  if (basePath !== undefined) {
    return `the image changes PATH to ${quoted(path)}, while its base has ${quoted(basePath ?? ENGINE_PATH)}; build it with the base's, or ask the site to allow PATH in this rule`;
  }
  const bad = path.split(':').find((directory) => !directory.startsWith('/') || isWritable(directory));
  return bad === undefined ? undefined : `the image looks for programs in ${quoted(bad)} (PATH); build it with absolute directories that a job cannot write to`;
}

function isWritable(directory: string): boolean {
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(directory)) return true;
  const plain = directory.replace(/\/+/g, '/');
  return WRITABLE.some((root) => plain === root || plain.startsWith(`${root}/`));
}
