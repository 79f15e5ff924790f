import { split } from 'shlex';
import { GatewayError } from '../errors.ts';
import { parseReference, type Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import { MOST_PORTS } from './endpoints.ts';
import type { GivenParameter, ParameterDescription } from './parameter.ts';
import { parseLogins, refuseLargeSecrets, secretParameterName } from './secret-parameters.ts';
import type { ContainerTask } from './task.ts';
import { parseCores, parseCount, parseSize } from './units.ts';

/** Everything that a job in `/uws/docker` can be told. */
export const CONTAINER_PARAMETERS: readonly ParameterDescription[] = [
  { name: 'IMAGE', type: 'string', required: true, multiple: false, example: 'registry.example.org/tools/cutout:1.2', description: 'The container image, by tag or digest. Judged by the policy of the site.' },
  { name: 'COMMAND', type: 'string', required: false, multiple: false, example: 'cutout --ra 10.68 "my file"', description: "Words that replace the image's command, split by shell quoting rules and never given to a shell." },
  { name: 'ARG', type: 'string', required: false, multiple: true, example: '--ra', description: "One word that replaces the image's command, repeated for each; instead of COMMAND." },
  { name: 'ENV.<NAME>', type: 'string', required: false, multiple: false, example: 'ENV.BAND=r', description: 'An environment variable of the container.' },
  { name: 'CORES', type: 'number', unit: 'cores', required: false, multiple: false, example: '1.5', description: 'CPU cores the container is promised and held to.' },
  { name: 'MEMORY', type: 'string', unit: 'bytes', required: false, multiple: false, example: '512M', description: 'Memory the container is promised and held to, with a unit: K, M, G, T.' },
  { name: 'GPUS', type: 'number', unit: 'graphics processors', required: false, multiple: false, example: '1', description: 'Graphics processors that the container sees, where a rule of the site gives any. They are not its own alone.' },
  { name: 'SECRET.<NAME>', type: 'string', required: false, multiple: false, example: 'SECRET.token=…', description: 'A value that nobody can read afterwards, not even you: the file /run/secrets/<NAME> of the container, in memory, for its user alone. Never in a URL.' },
  { name: 'REGISTRY.<HOST>', type: 'string', required: false, multiple: false, example: 'REGISTRY.registry.example.org=user:password', description: 'Your own login for the registry of the image, where the site takes such: it is read and pulled with it instead of the site\'s. Nobody can read it afterwards. Never in a URL.' },
  { name: 'PORT', type: 'number', required: false, multiple: true, example: '8080', description: 'A TCP port on which the container serves; while the job runs its owner reaches it at {job}/endpoints/main/{port}/. Repeated for each.' },
];

const ENV = 'ENV.';
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/**
 * The canonical spelling of a parameter's name, which clients write in any letter case (DALI §3.1); the part after `ENV.`
 * keeps its own. Throws BadParameter that names the allowed ones, and the `others` that the request may have.
 */
export function containerParameterName(given: string, others: readonly string[] = []): string {
  const upper = given.toUpperCase();
  if (upper.startsWith(ENV)) {
    const name = given.slice(ENV.length);
    if (ENV_NAME.test(name)) return ENV + name;
    throw new GatewayError('BadParameter', `${JSON.stringify(given.slice(0, 100))}: what follows ENV. must be a name of letters, digits and underscores`, { path: given });
  }
  const secret = secretParameterName(given);
  if (secret !== undefined) return secret;
  if (CONTAINER_PARAMETERS.some((known) => known.name === upper)) return upper;
  const allowed = [...CONTAINER_PARAMETERS.map((known) => known.name), ...others].join(', ');
  throw new GatewayError('BadParameter', `unknown parameter ${JSON.stringify(given.slice(0, 100))}; allowed here: ${allowed}`, { path: given });
}

/**
 * The container task that these parameters describe, or undefined while IMAGE is still missing. Throws BadParameter or
 * BadReference naming the parameter.
 */
export function parseContainerParameters(parameters: readonly GivenParameter[]): ContainerTask | undefined {
  refuseRepeated(parameters);
  refuseLargeSecrets(parameters);
  const value = (name: string): string | undefined => parameters.find((parameter) => parameter.name === name)?.value;
  const cores = optional(value('CORES'), 'CORES', parseCores, 'a number of cores such as 2 or 0.5');
  const memory = optional(value('MEMORY'), 'MEMORY', parseSize, 'a size with its unit such as 512M or 2G');
  const gpus = optional(value('GPUS'), 'GPUS', parseCount, 'a whole number of graphics processors');
  const command = parseCommand(value('COMMAND'), parameters.filter(({ name }) => name === 'ARG').map((parameter) => parameter.value));
  const ports = parsePorts(parameters.filter(({ name }) => name === 'PORT').map((parameter) => parameter.value));
  const logins = parseLogins(parameters);
  const named = value('IMAGE');
  if (named === undefined) return undefined;
  const image = parseImage(named);
  refuseUnusedLogins(logins, image);
  return {
    type: 'container',
    image,
    command,
    env: environment(parameters),
    ...(cores === undefined ? {} : { cores }),
    ...(memory === undefined ? {} : { memory }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(logins === undefined ? {} : { logins }),
  };
}

/** Nobody is told a password for nothing. */
function refuseUnusedLogins(logins: RegistryLogins | undefined, { domain }: Reference): void {
  const unused = logins?.domains.find((each) => each !== domain);
  if (unused !== undefined) throw new GatewayError('BadParameter', `REGISTRY.${unused}: the image is from ${domain}`, { path: `REGISTRY.${unused}` });
}

function refuseRepeated(parameters: readonly GivenParameter[]): void {
  const seen = new Set<string>();
  for (const { name } of parameters) {
    const folded = name.toUpperCase();
    if (folded !== 'ARG' && folded !== 'PORT' && seen.has(folded)) {
      throw new GatewayError('BadParameter', `${name} is given more than once (names are the same in any letter case)`, { path: name });
    }
    seen.add(folded);
  }
}

function optional<T>(text: string | undefined, name: string, parse: (text: string) => T | undefined, form: string): T | undefined {
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value === undefined) throw new GatewayError('BadParameter', `${name} must be ${form}`, { path: name });
  return value;
}

function parsePorts(texts: readonly string[]): readonly number[] {
  const ports = texts.map((text) => {
    const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Infinity;
    if (port > 65_535) throw new GatewayError('BadParameter', 'PORT must be a whole number from 1 to 65535', { path: 'PORT' });
    return port;
  });
  if (ports.length > MOST_PORTS) throw new GatewayError('BadParameter', `more than ${String(MOST_PORTS)} ports`, { path: 'PORT' });
  return [...new Set(ports)];
}

function parseImage(text: string): ContainerTask['image'] {
  try {
    return parseReference(text);
  } catch (error) {
    if (error instanceof GatewayError) throw new GatewayError(error.code, `IMAGE: ${error.message}`, { path: 'IMAGE', cause: error });
    throw error;
  }
}

function parseCommand(command: string | undefined, args: readonly string[]): readonly string[] {
  if (command === undefined) return args;
  if (args.length > 0) throw new GatewayError('BadParameter', 'give COMMAND or ARG, not both', { path: 'COMMAND' });
  try {
    return split(command);
  } catch (error) {
    throw new GatewayError('BadParameter', 'COMMAND has a quote that is not closed or a backslash at its end', { path: 'COMMAND', cause: error });
  }
}

function environment(parameters: readonly GivenParameter[]): Readonly<Record<string, string>> {
  const env = Object.create(null) as Record<string, string>;
  for (const { name, value } of parameters) if (name.startsWith(ENV)) env[name.slice(ENV.length)] = value;
  return env;
}
