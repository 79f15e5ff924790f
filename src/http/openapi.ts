import { Router } from '@koa/router';
import { z } from 'zod';
import { ERRORS } from '../errors.ts';
import { PROBLEM_TYPE } from './error-handler.ts';

/** A JSON Schema (2020-12), as OpenAPI 3.1 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One parameter of a query or a header. */
export interface ApiParameter {
  readonly name: string;
  readonly in: 'query' | 'header';
  readonly description: string;
  readonly schema: JsonSchema;
}

/** One answer: what it means, and its body by media type. */
export interface ApiAnswer {
  readonly description: string;
  readonly content?: Readonly<Record<string, JsonSchema>>;
}

/** One operation of the URL table. */
export interface ApiOperation {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** With its variables in braces: `/uws/docker/{id}`. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly parameters?: readonly ApiParameter[];
  readonly body?: Readonly<Record<string, JsonSchema>>;
  readonly answers: Readonly<Record<number, ApiAnswer>>;
}

/** What one face of the gateway says of itself. */
export interface ApiDescription {
  readonly operations: readonly ApiOperation[];
  /** By name, for `{ $ref: '#/components/schemas/NAME' }`. */
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

/** Refers to a schema of the description. */
export function schemaOf(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** A zod schema as it is published. `io`: what is accepted, or what is answered. */
export function published(schema: z.ZodType, io: 'input' | 'output' = 'output'): JsonSchema {
  return Object.fromEntries(Object.entries(z.toJSONSchema(schema, { io, unrepresentable: 'any' })).filter(([name]) => name !== '$schema'));
}

const problemSchema: JsonSchema = {
  type: 'object',
  description: 'An error in JSON (RFC 9457); without Accept: application/json it is one line of plain text',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', enum: Object.keys(ERRORS).map((code) => PROBLEM_TYPE + code) },
    title: { type: 'string' },
    status: { type: 'integer', enum: [...new Set(Object.values(ERRORS).map(({ status }) => status))] },
    detail: { type: 'string', description: 'what is wrong with this request' },
    code: { type: 'string', enum: Object.keys(ERRORS) },
    path: { type: 'string', description: 'where in the request the error lies' },
  },
};

/** The OpenAPI 3.1 document of these faces together, served under `baseUrl`. */
export function openApiDocument(baseUrl: string, version: string, faces: readonly ApiDescription[]): JsonSchema {
  const operations = faces.flatMap((face) => face.operations);
  const paths = [...new Set(operations.map(({ path }) => path))];
  const operationsOf = (path: string): JsonSchema => Object.fromEntries(operations.filter((each) => each.path === path).map((each) => [each.method, operationObject(each)]));
  return {
    openapi: '3.1.0',
    info: { title: 'Pratique', version, description: 'Containers as a service for the Virtual Observatory: IVOA Execution Planner and UWS 1.1. HEAD goes with every GET.' },
    servers: [{ url: baseUrl }],
    paths: Object.fromEntries(paths.map((path) => [path, operationsOf(path)])),
    components: { schemas: { Problem: problemSchema, ...Object.assign({}, ...faces.map(({ schemas }) => schemas)) as object } },
  };
}

/** `GET /openapi.json`, and `GET /` for who comes with nothing but the address: what can be asked here. */
export function openApiRoutes(document: JsonSchema): Router {
  const router = new Router({ sensitive: true });
  const index = indexOf(document);
  router.get('/', function getIndex(ctx) {
    ctx.body = index;
    ctx.type = 'text/plain';
  });
  const body = JSON.stringify(document);
  router.get('/openapi.json', function getOpenApi(ctx) {
    ctx.body = body;
    ctx.type = 'application/json';
  });
  return router;
}

/** A line for each path without a variable in it: its whole URL, and what comes of a GET. */
function indexOf(document: JsonSchema): string {
  const { info, paths, servers } = indexed.parse(document);
  const base = servers[0]?.url ?? '';
  const lines = Object.entries(paths).flatMap(([path, { get }]) => (get === undefined || path === '/' || path.includes('{') ? [] : [`${base}${path}\n    ${get.summary}`]));
  return `${info.title} ${info.version}\n${info.description}\n\n${lines.join('\n')}\n`;
}

const indexed = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.array(z.object({ url: z.string() })),
  paths: z.record(z.string(), z.object({ get: z.object({ summary: z.string() }).optional() })),
});

function operationObject({ name, summary, path, parameters = [], body, answers }: ApiOperation): JsonSchema {
  const variables = [...path.matchAll(/\{(\w+)\}/g)].map(([, variable]) => ({ name: variable, in: 'path', required: true, schema: { type: 'string' } }));
  return {
    operationId: name,
    summary,
    parameters: [...variables, ...parameters],
    ...(body === undefined ? {} : { requestBody: { content: contentObject(body) } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, { description, content }]) => [status, { description, ...(content === undefined ? {} : { content: contentObject(content) }) }])),
      default: { description: 'an error', content: contentObject({ 'text/plain': { type: 'string' }, 'application/problem+json': schemaOf('Problem') }) },
    },
  };
}

function contentObject(content: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }]));
}
