import type { ApiDescription, ApiOperation } from '../http/openapi.ts';

const XML = { 'text/xml': { type: 'string' } } as const;
const JSON_OBJECT = { 'application/json': { type: 'object' } } as const;

/** What the service says of itself around its job lists: VOSI, job types, this document. `tokens`: whether bearer tokens are taken. */
export function serviceApi(options: { readonly tokens: boolean }): ApiDescription {
  const resource = get('/.well-known/oauth-protected-resource', 'getProtectedResource', 'Where tokens come from (RFC 9728)', JSON_OBJECT);
  return { operations: options.tokens ? [...OPERATIONS, resource] : OPERATIONS, schemas: {} };
}

const OPERATIONS: readonly ApiOperation[] = [
  get('/', 'getIndex', 'What can be asked here, in a few lines', { 'text/plain': { type: 'string' } }),
  get('/capabilities', 'getCapabilities', 'VOSI capabilities', XML),
  get('/availability', 'getAvailability', 'VOSI availability', XML),
  get('/uws/capabilities', 'getListCapabilities', 'VOSI capabilities, beside the job lists', XML),
  get('/uws/availability', 'getListAvailability', 'VOSI availability, beside the job lists', XML),
  get('/jobtypes', 'listJobTypes', 'What each job list takes', JSON_OBJECT),
  get('/jobtypes/{name}', 'getJobType', 'What one job list takes, as JSON Schema', JSON_OBJECT),
  get('/openapi.json', 'getOpenApi', 'This document', JSON_OBJECT),
];

function get(path: string, name: string, summary: string, content: NonNullable<ApiOperation['answers'][number]['content']>): ApiOperation {
  return { method: 'get', path, name, summary, answers: { 200: { description: summary, content } } };
}
