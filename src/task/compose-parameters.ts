import { GatewayError } from '../errors.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { GivenParameter, ParameterDescription } from './parameter.ts';
import { isSecretFile, isSecretName, parseLogins, refuseLargeSecrets, secretFileOf, secretParameterName } from './secret-parameters.ts';

/** Everything that a job in `/uws/compose` can be told. */
export const COMPOSE_PARAMETERS: readonly ParameterDescription[] = [
  { name: 'COMPOSEFILE', type: 'string', required: true, multiple: false, example: 'services: {hello: {image: "registry.example.org/tools/hello:1"}}', description: 'The compose file itself, YAML or JSON, inline or uploaded. Judged key by key, and every image of it by the policy of the site.' },
  { name: 'VAR.<NAME>', type: 'string', required: false, multiple: false, example: 'VAR.BAND=r', description: 'The value of a variable of the file, shown to whoever may read the job: for secrets there is SECRET.<NAME>. No variable has a value from anywhere else.' },
  { name: 'SECRET.<NAME>', type: 'string', required: false, multiple: false, example: 'SECRET.token=…', description: 'The value of the secret <NAME> that the file declares with external: true. Nobody can read it afterwards, not even you: services that list it under secrets have it as a file in /run/secrets, in memory. Never in a URL.' },
  { name: 'REGISTRY.<HOST>', type: 'string', required: false, multiple: false, example: 'REGISTRY.registry.example.org=user:password', description: 'Your own login for a registry of the file\'s images, where the site takes such: they are read and pulled with it instead of the site\'s. Nobody can read it afterwards. Never in a URL.' },
  { name: 'SERVICE', type: 'string', required: false, multiple: false, example: 'client', description: 'The service whose end is the job\'s, and whose exit decides. Default: the one on which no other depends, else all.' },
];

/** A compose file as a client gave it. */
export interface ComposeTask {
  readonly type: 'compose';
  readonly file: string;
  readonly variables: ReadonlyMap<string, string>;
  /** Names of the secrets that are given; values are for the engine alone. Absent = none. */
  readonly secrets?: ReadonlySet<string>;
  readonly service?: string;
  /** The caller's own, for registries of its images. */
  readonly logins?: RegistryLogins;
}

const VAR = 'VAR.';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** Variables of one request at most. */
const MOST_VARIABLES = 500;

/** As containerParameterName, for jobs of compose files. The part after `VAR.` keeps its letter case. Throws BadParameter. */
export function composeParameterName(given: string, others: readonly string[] = []): string {
  const upper = given.toUpperCase();
  if (upper.startsWith(VAR)) {
    const name = given.slice(VAR.length);
    if (VARIABLE.test(name)) return VAR + name;
    throw new GatewayError('BadParameter', `${JSON.stringify(given.slice(0, 100))}: what follows VAR. must be a name of letters, digits and underscores`, { path: given });
  }
  const secret = secretParameterName(given);
  if (secret !== undefined) return secret;
  if (COMPOSE_PARAMETERS.some((known) => known.name === upper)) return upper;
  const allowed = [...COMPOSE_PARAMETERS.map((known) => known.name), ...others].join(', ');
  throw new GatewayError('BadParameter', `unknown parameter ${JSON.stringify(given.slice(0, 100))}; allowed here: ${allowed}`, { path: given });
}

/** The task that these parameters describe, or undefined while COMPOSEFILE is still missing. Throws BadParameter. */
export function parseComposeParameters(parameters: readonly GivenParameter[]): ComposeTask | undefined {
  refuseLargeSecrets(parameters);
  const values = new Map<string, string>();
  for (const { name: given, value } of parameters) {
    const name = isSecretName(given) ? given.toUpperCase() : given;
    if (values.has(name)) throw new GatewayError('BadParameter', `${name} is given twice`, { path: name });
    values.set(name, value);
  }
  const logins = parseLogins(parameters);
  const variables = new Map([...values].filter(([name]) => name.startsWith(VAR)).map(([name, value]) => [name.slice(VAR.length), value]));
  if (variables.size > MOST_VARIABLES) throw new GatewayError('BadParameter', `more than ${String(MOST_VARIABLES)} variables are given`);
  const secrets = new Set(parameters.flatMap(({ name }) => (isSecretFile(name) ? [secretFileOf(name)] : [])));
  const [file, service] = [values.get('COMPOSEFILE'), values.get('SERVICE')];
  if (file === undefined) return undefined;
  return { type: 'compose', file, variables, ...(secrets.size === 0 ? {} : { secrets }), ...(service === undefined || service === '' ? {} : { service }), ...(logins === undefined ? {} : { logins }) };
}

/** The parameters that describe a task: what parseComposeParameters makes of them is the task again, but for its secrets, which only the client has. */
export function formatComposeParameters({ file, variables, service }: ComposeTask): readonly GivenParameter[] {
  return [
    { name: 'COMPOSEFILE', value: file },
    ...[...variables].map(([name, value]) => ({ name: VAR + name, value })),
    ...(service === undefined ? [] : [{ name: 'SERVICE', value: service }]),
  ];
}
