import { GatewayError } from '../errors.ts';
import { digestOf } from '../image/digest.ts';
import type { CreationKey } from '../store/job-store.ts';
import { isSecretName } from '../task/secret-parameters.ts';
import type { JobRequest } from './job-request.ts';

/**
 * The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header: a string, quoted or not) with a fingerprint of what is
 * asked for, so that the same key with another request is seen; of secrets only the names, the service adds their values by a key of its own. Throws BadRequest for an empty, long or repeated one.
 */
export function creationKey(header: string | readonly string[], asked: JobRequest): CreationKey {
  const key = typeof header === 'string' ? header.trim().replace(/^"(.*)"$/, '$1') : '';
  if (!/^[\u0021-\u007e ]{1,255}$/.test(key)) throw new GatewayError('BadRequest', 'Idempotency-Key must be 1 to 255 characters of ASCII', { path: 'Idempotency-Key' });
  return { key, fingerprint: digestOf(JSON.stringify({ ...asked, parameters: asked.parameters.map((each) => (isSecretName(each.name) ? { name: each.name } : each)) })) };
}
