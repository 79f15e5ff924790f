import { GatewayError } from '../errors.ts';
import { composeParameterName, type ComposeTask, parseComposeParameters } from '../task/compose-parameters.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { canBeSecret, isSecretFile } from '../task/secret-parameters.ts';
import { type Branch, isBranch, UploadedDocument, type Value, type Warning } from './question.ts';
import { LOGINS, readLogins } from './asked-logins.ts';
import { namesOf, pairsOf, textOf } from './value-readers.ts';

/** The members of taskinfo that say what compose file to run. */
export interface ComposeMembers {
  /** Absent where there is no file: the question is whether any would be taken. */
  readonly task?: ComposeTask;
  /** The file is to be had there. */
  readonly url?: string;
  readonly warnings: readonly Warning[];
}

/**
 * Reads `composefile` (the document itself: as an uploaded part, as text, or as members of the question; or the URL where it is),
 * `variables` (by name, or a list of NAME=value), `secrets` (names alone of those that the job will be given), `service` and `registries` (logins of the
 * caller's own). What else is there is told as a warning. Throws BadParameter.
 */
export function readComposeMembers(taskinfo: Branch): ComposeMembers {
  const parameters: GivenParameter[] = [];
  const warnings: Warning[] = [];
  let url: string | undefined;
  for (const [name, value] of Object.entries(taskinfo)) {
    const path = `taskinfo.${name}`;
    if (name === 'composefile') {
      const file = fileOf(value, path);
      if (/^https?:\/\/\S+$/i.test(file.trim())) url = file.trim();
      parameters.push({ name: 'COMPOSEFILE', value: file });
    } else if (name === 'variables') {
      parameters.push(...[...pairsOf(value, path)].map(([variable, text]) => ({ name: variableName(variable, path), value: text })));
    } else if (name === 'secrets') parameters.push(...secretNames(value, path).map((secret) => ({ name: `SECRET.${secret}`, value: '' })));
    else if (isSecretFile(`${name}.`)) throw namesOnly('taskinfo.secrets');
    else if (name === 'service') parameters.push({ name: 'SERVICE', value: textOf(value, path) });
    else if (name === LOGINS) parameters.push(...readLogins(value));
    else if (name !== 'data') warnings.push({ code: 'taskinfo.unknown', path: path.slice(0, 100), text: 'a compose file has no such member beside it; it was not looked at' });
  }
  const task = parseComposeParameters(parameters);
  return { ...(task === undefined ? {} : { task }), ...(url === undefined ? {} : { url }), warnings };
}

function variableName(variable: string, path: string): string {
  try {
    return composeParameterName(`VAR.${variable}`);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError('BadParameter', `${path}: the name of a variable is letters, digits and underscores, the first no digit`, { path, cause: error });
  }
}

/** Values are none of the planner's business, and whatever else this is may be one: no error repeats it. */
function secretNames(value: Value, path: string): readonly string[] {
  if (value instanceof UploadedDocument) throw namesOnly(path);
  try {
    const names = namesOf(value, path);
    if (names.every(canBeSecret)) return [...new Set(names)];
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
  throw namesOnly(path);
}

function namesOnly(path: string): GatewayError {
  return new GatewayError('BadParameter', `${path} is a list of names of secrets; their values are given to the job alone, as SECRET.<NAME>`, { path });
}

/** The text of the file. Members of the question become JSON: their values are texts then, and are cast as in any file. */
function fileOf(value: Value, path: string): string {
  if (value instanceof UploadedDocument) return value.text;
  if (typeof value === 'string') return value;
  if (isBranch(value)) return JSON.stringify(value);
  throw new GatewayError('BadParameter', `${path} must be a compose file, as a document or as its text`, { path });
}
