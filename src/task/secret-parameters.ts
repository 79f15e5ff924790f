import { GatewayError } from '../errors.ts';
import { parseDomain } from '../image/reference.ts';
import { type RegistryLogin, RegistryLogins } from '../image/registry-logins.ts';
import type { GivenParameter } from './parameter.ts';

const SECRET = 'SECRET.';
const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const REGISTRY = 'REGISTRY.';
/** Secrets of one job at most. */
export const MOST_SECRETS = 16;
const MOST_LOGINS = 8;
/** Bytes of one secret, or of one login. */
export const LONGEST_SECRET = 32 * 1024;

/** Whether the value of this parameter is for nobody's eyes. */
export function isSecretName(name: string): boolean {
  return isSecretFile(name) || isLogin(name);
}

/** Whether this parameter is one of the files in /run/secrets. */
export function isSecretFile(name: string): boolean {
  return name.toUpperCase().startsWith(SECRET);
}

/** Whether this parameter is the caller's own login for a registry. */
export function isLogin(name: string): boolean {
  return name.toUpperCase().startsWith(REGISTRY);
}

/** The file below /run/secrets that a secret becomes. */
export function secretFileOf(name: string): string {
  return name.slice(SECRET.length);
}

/** Whether there can be a parameter `SECRET.<NAME>` of this name. */
export function canBeSecret(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * The canonical spelling of the name of a secret or a login; undefined where it is neither. What follows `SECRET.` keeps its letter
 * case, what follows `REGISTRY.` is a registry's host as references name it. Throws BadParameter.
 */
export function secretParameterName(given: string): string | undefined {
  if (isSecretFile(given)) {
    const name = secretFileOf(given);
    if (canBeSecret(name)) return SECRET + name;
    throw new GatewayError('BadParameter', `${JSON.stringify(given.slice(0, 100))}: what follows SECRET. must be a name of at most 64 letters, digits, dots, hyphens and underscores`, { path: given });
  }
  if (!isLogin(given)) return undefined;
  try {
    return REGISTRY + parseDomain(given.slice(REGISTRY.length).toLowerCase());
  } catch (error) {
    throw new GatewayError('BadParameter', `${JSON.stringify(given.slice(0, 100))}: what follows REGISTRY. must be a registry's host, as in the image's name`, { path: given, cause: error });
  }
}

/** Throws BadParameter where there are too many secrets, or too large ones. */
export function refuseLargeSecrets(parameters: readonly GivenParameter[]): void {
  const secrets = parameters.filter(({ name }) => isSecretName(name));
  refuseMany(secrets, isSecretFile, MOST_SECRETS, 'SECRET.<NAME>');
  refuseMany(secrets, isLogin, MOST_LOGINS, 'REGISTRY.<HOST>');
  const large = secrets.find(({ value }) => Buffer.byteLength(value) > LONGEST_SECRET);
  if (large !== undefined) throw new GatewayError('BadParameter', `${large.name} is longer than ${String(LONGEST_SECRET)} bytes`, { path: large.name });
}

function refuseMany(secrets: readonly GivenParameter[], isOfThem: (name: string) => boolean, most: number, what: string): void {
  if (secrets.filter(({ name }) => isOfThem(name)).length <= most) return;
  throw new GatewayError('BadParameter', `more than ${String(most)} parameters ${what}`, { path: what.slice(0, what.indexOf('.')) });
}

/** The caller's own logins among the parameters; undefined where there are none. Throws BadParameter, which quotes no value. */
export function parseLogins(parameters: readonly GivenParameter[]): RegistryLogins | undefined {
  const logins = parameters.filter(({ name }) => isLogin(name));
  if (logins.length === 0) return undefined;
  return new RegistryLogins(new Map(logins.map((given) => [given.name.slice(REGISTRY.length), parseLogin(given)])));
}

/** As HTTP's Basic has it: the user ends at the first colon (RFC 7617 §2). A line break at the end is a file's. */
function parseLogin({ name, value }: GivenParameter): RegistryLogin {
  const [, username, password] = /^([^:\r\n]+):([^\r\n]+)\r?\n?$/.exec(value) ?? [];
  if (username !== undefined && password !== undefined) return { username, password };
  throw new GatewayError('BadParameter', `${name} must be a user and a password, as user:password in one line`, { path: name });
}
