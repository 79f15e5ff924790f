import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ANONYMOUS, type Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import type { Platform } from '../image/platform.ts';
import { parseReference } from '../image/reference.ts';
import { explain } from '../policy/explain.ts';
import type { PolicyHolder } from '../policy/policy-holder.ts';
import { loadConfig } from '../config.ts';
import { configFile } from './config-option.ts';
import { localJudge } from './local-judge.ts';

/**
 * `pratique check --compose FILE`: everything that is wrong with a compose file, line by line, and the file that would be accepted in
 * its place. `secrets`: names of those that jobs will be given. Returns as `check`.
 */
async function checkCompose(file: string, variables: readonly string[], secrets: readonly string[], policy: PolicyHolder, caller: Caller): Promise<number> {
  const values = new Map(variables.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new Error(`--var takes NAME=value, not ${text}`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  }));
  const verdict = await policy.evaluateProject({ file: await readFile(file, 'utf8'), variables: values, secrets: new Set(secrets) }, caller, new AbortController().signal);
  for (const { path, line, text } of verdict.warnings) console.log(`warning   line ${String(line)}  ${placed(path, text)}`);
  if (verdict.accepted) {
    console.log(`answer    YES (${String(verdict.project.services.length)} services)`);
    return 0;
  }
  for (const { code, path, line, text } of verdict.reasons) console.log(`line ${String(line).padEnd(5)} ${placed(path, text)} [${code}]`);
  console.log('answer    NO');
  if (verdict.offer === undefined) return 1;
  for (const { path, text } of verdict.offer.changes) console.log(`change    ${placed(path, text)}`);
  for (const { name, kind } of verdict.offer.parameters) console.log(`fill in   ${name} (${kind})`);
  console.log(`would be accepted:\n${verdict.offer.file}`);
  return 1;
}

/** The text after its path, which most begin with themselves. */
function placed(path: string, text: string): string {
  return text.startsWith(path) ? text : `${path}: ${text}`;
}

/**
 * `pratique check IMAGE`: the verdict as /accepts and RUN would give it, rule by rule. Returns 0 for YES, 1 for NO, 2 when
 * nobody can judge at present.
 */
export async function check(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { config: { type: 'string', short: 'c' }, platform: { type: 'string' }, group: { type: 'string', multiple: true }, compose: { type: 'string' }, var: { type: 'string', multiple: true }, secret: { type: 'string', multiple: true } },
  });
  const [image = '', ...more] = positionals;
  if ((image === '') === (values.compose === undefined) || more.length > 0) throw new Error('check takes one image, or --compose and a file');
  const config = await loadConfig(configFile(values.config, environment), environment);
  const judge = await localJudge(config, values.platform === undefined ? undefined : parsePlatform(values.platform));
  const caller: Caller = values.group === undefined ? ANONYMOUS : { id: 'operator', groups: values.group };
  try {
    if (values.compose !== undefined) return await checkCompose(values.compose, values.var ?? [], values.secret ?? [], judge.policy, caller);
    const task = { type: 'container', image: parseReference(image), command: [], env: {} } as const;
    const judgement = await judge.policy.judge(task, caller, new AbortController().signal);
    for (const line of explain(task, judgement)) console.log(line);
    return judgement.verdict.accepted ? 0 : 1;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.error(`cannot be judged: ${error.message}${error.code === 'EngineUnavailable' ? ' (name a platform: --platform linux/amd64)' : ''}`);
    return 2;
  } finally {
    await judge.close();
  }
}

/** `linux/amd64` or `linux/arm/v7`. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant = '', ...more] = text.split('/');
  if (os === '' || architecture === '' || more.length > 0) throw new Error(`not a platform of the form os/architecture[/variant]: ${text}`);
  return { os, architecture, variant };
}
