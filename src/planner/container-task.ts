import { GatewayError } from '../errors.ts';
import { containerParameterName } from '../task/container-parameters.ts';
import type { GivenParameter } from '../task/parameter.ts';
import type { Branch, Warning } from './question.ts';
import { LOGINS, readLogins } from './asked-logins.ts';
import { pairsOf, textOf, wordsOf } from './value-readers.ts';

/** The members of taskinfo that say what container to run, as the parameters of the job list: one definition of a valid task. */
export interface ContainerMembers {
  readonly parameters: readonly GivenParameter[];
  readonly hasImage: boolean;
  readonly warnings: readonly Warning[];
}

/**
 * Reads `image`, `command` (one text, split by shell quoting rules, or a list of words), `arg` or `args` (words), `env` or
 * `environment`, `registries` (logins of the caller's own). `data` is for others to read; what else is there is told as a warning. Throws BadParameter.
 */
export function readContainerMembers(taskinfo: Branch): ContainerMembers {
  const parameters: GivenParameter[] = [];
  const warnings: Warning[] = [];
  for (const [name, value] of Object.entries(taskinfo)) {
    const path = `taskinfo.${name}`;
    if (name === 'image') parameters.push({ name: 'IMAGE', value: textOf(value, path).trim() });
    else if (name === 'command' && typeof value === 'string') parameters.push({ name: 'COMMAND', value });
    else if (name === 'command' || name === 'arg' || name === 'args') parameters.push(...wordsOf(value, path).map((word) => ({ name: 'ARG', value: word })));
    else if (name === 'env' || name === 'environment') parameters.push(...[...pairsOf(value, path)].map(([variable, text]) => ({ name: containerParameterName(`ENV.${variable}`), value: text })));
    else if (name === LOGINS) parameters.push(...readLogins(value));
    else if (name !== 'data') warnings.push({ code: 'taskinfo.unknown', path: path.slice(0, 100), text: 'a container has no such member; it was not looked at' });
  }
  return { parameters, hasImage: Object.hasOwn(taskinfo, 'image'), warnings };
}

/** The same error, at its place in the question instead of in the job list's parameters. */
export function atQuestion(error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.path === undefined) return error;
  if (error.path.startsWith('REGISTRY.')) return new GatewayError(error.code, error.message, { path: `taskinfo.${LOGINS}`, cause: error });
  const path = error.path.startsWith('ENV.') ? `taskinfo.env.${error.path.slice(4)}` : `taskinfo.${error.path.toLowerCase()}`;
  return new GatewayError(error.code, error.message, { path, cause: error });
}
