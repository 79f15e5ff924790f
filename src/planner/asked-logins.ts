import { GatewayError } from '../errors.ts';
import type { Field } from '../http/request-body.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { canBeSecret, secretParameterName } from '../task/secret-parameters.ts';
import { type Branch, isBranch, type Value } from './question.ts';
import { pairsOf, textOf } from './value-readers.ts';

/** The member of taskinfo with the caller's own logins for registries. */
export const LOGINS = 'registries';

/**
 * The logins as parameters of a job: `user:password` by the registry's host, as members (a host's dots may be those of a dotted name)
 * or as a list of HOST=user:password. Throws BadParameter, which quotes no value.
 */
export function readLogins(value: Value): readonly GivenParameter[] {
  const path = `taskinfo.${LOGINS}`;
  const pairs = isBranch(value) ? members(value, '', path) : [...pairsOf(value, path)];
  return pairs.map(([host, login]) => ({ name: secretParameterName(`REGISTRY.${host}`) ?? host, value: login }));
}

function members(branch: Branch, before: string, path: string): (readonly [string, string])[] {
  return Object.entries(branch).flatMap(([name, value]) => (isBranch(value) ? members(value, `${before}${name}.`, path) : [[before + name, textOf(value, path)] as const]));
}

/** Addresses are logged, here and on the way. Throws BadParameter. */
export function refuseInUrl(query: readonly Field[]): void {
  const found = query.some(({ name, value }) => new RegExp(`^taskinfo[.[]\\s*${LOGINS}\\b`, 'i').test(name.replace(/\s+/g, '')) || (/^\s*taskinfo\s*$/i.test(name) && value.includes(LOGINS)));
  if (found) throw new GatewayError('BadParameter', `taskinfo.${LOGINS} does not belong into a URL: give it in the body of a POST`, { path: `taskinfo.${LOGINS}` });
}

/** What may be told to others: the caller's passwords are not, nor what was sent as a secret and is more than names. */
export function withoutLogins(taskinfo: Branch): Branch {
  return Object.fromEntries(Object.entries(taskinfo).filter(([name, value]) => name !== LOGINS && (!/^secrets?$/i.test(name) || areNames(value))));
}

function areNames(value: Value): boolean {
  return [value].flat().every((each) => typeof each === 'string' && canBeSecret(each));
}
