import type { JobLimits } from '../execution/limits.ts';
import type { JobListName } from '../job/job.ts';
import { MOST_PORTS } from '../task/endpoints.ts';
import type { ParameterDescription } from '../task/parameter.ts';
import { isLogin, isSecretName } from '../task/secret-parameters.ts';
import { formatSize } from '../task/units.ts';
import { type JsonSchema, published } from '../http/openapi.ts';
import { LIST_PARAMETERS, prefixOf } from './list-parameters.ts';
import { REQUEST_DOCUMENTS } from './request-documents.ts';

/** What a site gives a job that says nothing, and the most it gives. */
export interface JobTypeParts {
  readonly list: JobListName;
  /** Absolute URL of the job list. */
  readonly url: string;
  readonly limits: Pick<JobLimits, 'executionDuration' | 'lifetime'>;
  readonly defaults: { readonly cores: number; readonly memory: number };
}

const HOST = '(?:localhost|(?:[a-z0-9]+(?:-[a-z0-9]+)*\\.)+[a-z]{2,20})(?::[1-9]\\d{0,3})?/';
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const TAG_AND_DIGEST = '(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?';

/** What XML can hold, not taken for the name of an upload; short enough in any encoding. */
const TEXT: JsonSchema = { type: 'string', maxLength: 32_000, pattern: '^(?!param:)[\\t\\n\\r\\u0020-\\ud7ff\\ue000-\\ufffd\\u{10000}-\\u{10ffff}]*$' };

/** Values as their parsers take them, a little less at the edges; a test holds that every document that fits is accepted. */
const VALUES: Readonly<Record<string, JsonSchema>> = {
  IMAGE: { type: 'string', maxLength: 200, pattern: `^(?:${HOST}${COMPONENT}|[a-z0-9]+(?:[_-][a-z0-9]+)*)(?:/${COMPONENT})*${TAG_AND_DIGEST}$` },
  COMMAND: { allOf: [TEXT, { type: 'string', pattern: '^(?:[^\'"\\\\]|\\\\[^]|\'[^\']*\'|"(?:[^"\\\\]|\\\\[^])*")*$' }] },
  CORES: { anyOf: [{ type: 'string', pattern: '^(?:[1-9]\\d{0,5}(?:\\.\\d{1,3})?|0\\.(?:[1-9]\\d{0,2}|0[1-9]\\d?|00[1-9]))$' }, { type: 'number', minimum: 0.001, maximum: 999_999, multipleOf: 0.001 }] },
  GPUS: { anyOf: [{ type: 'string', pattern: '^\\d{1,3}$' }, { type: 'integer', minimum: 0, maximum: 999 }] },
  COMPOSEFILE: { anyOf: [{ type: 'string', maxLength: 65_536, pattern: '^(?!param:)' }, { type: 'object' }] },
  PORT: { anyOf: [{ type: 'string', pattern: '^[1-9]\\d{0,3}$' }, { type: 'integer', minimum: 1, maximum: 65_535 }] },
  MEMORY: { type: 'string', pattern: '^(?:[1-9]\\d{0,3}[KMG]|[1-9]\\d{0,2}T)(?:i?B)?$' },
};

const ANY_NAME = '[A-Za-z_][A-Za-z0-9_]{0,127}$';

/** Secrets are files, and their values are never shown; how many there may be, a schema cannot tell. */
const SECRET_NAME = '[A-Za-z_][A-Za-z0-9_.-]{0,63}$';
const SECRET: JsonSchema = { maxLength: 8_000, writeOnly: true };

/** A registry's host, and `user:password`. */
const LOGIN_HOST = `${HOST.slice(0, -1)}$`;
const LOGIN: JsonSchema = { pattern: '^[!-9;-~]{1,200}:[!-~]{1,2000}$', maxLength: 2_300 };

interface About {
  readonly title: string;
  readonly description: string;
  /** On names, and which exclude each other. */
  readonly names: JsonSchema;
  readonly outputs: Readonly<Record<string, JsonSchema>>;
}

const LOG: JsonSchema = { type: 'string', contentMediaType: 'text/plain' };

/** What programs and people are told of each job list. */
const ABOUT: Readonly<Record<JobListName, About>> = {
  docker: {
    title: 'A container',
    description: 'Runs one container image, once. Every file that it leaves below /output is a result.',
    names: { description: 'Names are the same in any letter case. COMMAND and ARG exclude each other. A login is for the registry of the image.', not: { required: ['COMMAND', 'ARG'] } },
    outputs: {
      stdout: { schema: LOG, description: 'what the container writes; readable while it runs' },
      stderr: { schema: LOG, description: 'what it complains of; readable while it runs' },
      '*': { schema: { contentEncoding: 'binary' }, description: 'each regular file below /output, under its path there' },
    },
  },
  compose: {
    title: 'A compose file',
    description: 'Runs the services of a Docker Compose file together, once. Every file that they leave below /output is a result.',
    names: { description: 'Names are the same in any letter case.' },
    outputs: {
      stdout: { schema: LOG, description: 'what the services write, each line after the name of its own; readable while they run' },
      stderr: { schema: LOG, description: 'what they complain of; readable while they run' },
      'stdout.{service}': { schema: LOG, description: 'what one of several services writes; stderr.{service} likewise' },
      '*': { schema: { contentEncoding: 'binary' }, description: 'each regular file below a service\'s /output, under the name of the service where there are several' },
    },
  },
};

/** The parameters of the list, by name, as JSON Schema. */
export function parametersJsonSchema(parts: JobTypeParts): JsonSchema {
  const { descriptions } = LIST_PARAMETERS[parts.list];
  const plain = descriptions.filter((parameter) => prefixOf(parameter) === undefined);
  const many = descriptions.flatMap((parameter) => {
    const prefix = prefixOf(parameter);
    if (prefix === undefined) return [];
    const { name, description } = parameter;
    const value = { ...TEXT, ...(isSecretName(name) ? SECRET : {}), ...(isLogin(name) ? LOGIN : {}) };
    return [[`^${prefix.replace('.', '\\.')}${restOf(name)}`, { ...value, description }] as const];
  });
  return {
    type: 'object',
    properties: Object.fromEntries(plain.map((parameter) => [parameter.name, parameterSchema(parameter, parts)])),
    patternProperties: Object.fromEntries(many),
    additionalProperties: false,
    ...ABOUT[parts.list].names,
  };
}

/** What may follow the prefix of a parameter that stands for many. */
function restOf(name: string): string {
  if (isLogin(name)) return LOGIN_HOST;
  return isSecretName(name) ? SECRET_NAME : ANY_NAME;
}

/** What a creation looks like in JSON: the document to POST to the list. */
export function creationJsonSchema(parts: JobTypeParts): JsonSchema {
  const { properties, ...rest } = published(REQUEST_DOCUMENTS.creation, 'input') as { properties: Record<string, JsonSchema> };
  return { ...rest, properties: { ...properties, parameters: parametersJsonSchema(parts) } };
}

/** `/jobtypes/{list}`: inputs and outputs as OGC API – Processes describes them, and the schema of a creation. */
export function jobType(parts: JobTypeParts): JsonSchema {
  const { title, description, outputs } = ABOUT[parts.list];
  return {
    id: parts.list,
    title,
    description,
    standardID: 'ivo://ivoa.net/std/UWS#rest-1.1',
    jobs: parts.url,
    inputs: Object.fromEntries(LIST_PARAMETERS[parts.list].descriptions.map((parameter) => [parameter.name, input(parameter, parts)])),
    outputs,
    executionDuration: { unit: 's', ...parts.limits.executionDuration },
    lifetime: { unit: 's', ...parts.limits.lifetime },
    schema: { $schema: 'https://json-schema.org/draft/2020-12/schema', ...creationJsonSchema(parts) },
  };
}

function input(parameter: ParameterDescription, parts: JobTypeParts): JsonSchema {
  const { description, unit, required, multiple, example } = parameter;
  return {
    description,
    schema: parameterSchema(parameter, parts),
    minOccurs: required ? 1 : 0,
    maxOccurs: multiple || prefixOf(parameter) !== undefined ? 'unbounded' : 1,
    ...(unit === undefined ? {} : { unit }),
    example,
  };
}

function parameterSchema({ name, description, unit, multiple, example }: ParameterDescription, { defaults }: JobTypeParts): JsonSchema {
  const standard: Readonly<Record<string, unknown>> = { CORES: defaults.cores, MEMORY: formatSize(defaults.memory) };
  const value = VALUES[name] ?? TEXT;
  const about = { description, examples: [example], ...(unit === undefined ? {} : { unit }), ...(name in standard ? { default: standard[name] } : {}) };
  return multiple ? { ...about, anyOf: [value, { type: 'array', items: value, ...(name === 'PORT' ? { maxItems: MOST_PORTS } : {}) }] } : { ...value, ...about };
}
