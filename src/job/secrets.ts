import { GatewayError } from '../errors.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { isLogin, isSecretFile, isSecretName, secretFileOf } from '../task/secret-parameters.ts';
import type { Job, Parameter } from './job.ts';
import type { SecretBox } from './secret-box.ts';

/** Parameters as they are kept: a secret's value is sealed, and empty for everybody who reads it as a parameter. */
export function withSealed(parameters: readonly GivenParameter[], jobId: string, box: SecretBox): readonly Parameter[] {
  return parameters.map((parameter) => {
    const { name, value } = parameter;
    return isSecretName(name) ? { name, value: '', sealed: box.seal(jobId, name, value) } : parameter;
  });
}

/** Parameters without what was sealed: the job will not ask for it any more. */
export function withoutSealed(parameters: readonly Parameter[]): readonly Parameter[] {
  return parameters.map(unsealed);
}

/** The same of logins alone: everything has been pulled. */
export function withoutLogins(parameters: readonly Parameter[]): readonly Parameter[] {
  return parameters.map((parameter) => (isLogin(parameter.name) ? unsealed(parameter) : parameter));
}

function unsealed({ name, value, byReference }: Parameter): Parameter {
  return { name, value, ...(byReference === undefined ? {} : { byReference }) };
}

/** The site's key is not the one with which a secret was sealed. */
export class SecretsLost extends GatewayError {
  constructor(name: string) {
    super('Internal', `${name} can no longer be read`);
  }
}

/** The job's secrets, by name. Throws SecretsLost where they cannot be read: the site has lost its key. */
export function openSecrets({ id, parameters }: Pick<Job, 'id' | 'parameters'>, box: SecretBox): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  for (const { name, sealed } of parameters) {
    if (!isSecretFile(name)) continue;
    const value = sealed === undefined ? undefined : box.open(id, name, sealed);
    if (value === undefined) throw new SecretsLost(name);
    secrets.set(secretFileOf(name), value);
  }
  return secrets;
}

/**
 * Parameters as the judge needs them: with the logins for registries, and without any other secret. Throws BadParameter where a login
 * cannot be read: the site has lost its key, and the job has to be told again.
 */
export function withLogins({ id, parameters }: Pick<Job, 'id' | 'parameters'>, box: SecretBox): readonly GivenParameter[] {
  return parameters.map((parameter) => {
    const { name, sealed } = parameter;
    if (!isLogin(name)) return parameter;
    const value = sealed === undefined ? undefined : box.open(id, name, sealed);
    if (value === undefined) throw new GatewayError('BadParameter', `${name} can no longer be read; give it again`, { path: name });
    return { name, value };
  });
}
