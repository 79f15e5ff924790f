import type { SecretBox } from '../job/secret-box.ts';
import type { CreationKey } from '../store/job-store.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { isSecretName } from '../task/secret-parameters.ts';

/** A digest of short texts can be guessed; what is added for secrets cannot, without the site's key. */
export function keyWithSecrets(key: CreationKey, parameters: readonly GivenParameter[], box: SecretBox): CreationKey {
  const secrets = parameters.filter(({ name }) => isSecretName(name)).flatMap(({ name, value }) => [name, value]);
  return secrets.length === 0 ? key : { key: key.key, fingerprint: box.fingerprint([key.fingerprint, ...secrets]) };
}
