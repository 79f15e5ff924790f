import { z } from 'zod';
import { type ApiDescription, type ApiOperation, type ApiParameter, type JsonSchema, published, schemaOf } from '../http/openapi.ts';

const reason = z.looseObject({ code: z.string(), path: z.string(), text: z.string() });
const resources = z.record(z.string(), z.union([z.string(), z.number()])).meta({ description: 'mincores, maxcores, minmemory, maxmemory …' });
const offered = { servicetype: z.string(), serviceinfo: z.looseObject({ endpoint: z.url() }), resources: resources.optional() };

/** The answer to a question (Execution Planner note §3, §4.4, §5, §7), its members as they are spelled on the wire. */
export const answerSchema = z.looseObject({
  reponseword: z.enum(['YES', 'NO', 'MAYBE']).meta({ description: 'MAYBE only for those who ask for it' }),
  servicetype: z.string().optional(),
  serviceinfo: z.looseObject({ endpoint: z.url() }).optional(),
  resources: resources.optional(),
  interfaces: z.array(z.looseObject(offered)).optional(),
  reponseinfo: z.looseObject({ reasons: z.array(reason).optional(), warnings: z.array(z.looseObject({})).optional(), decision: z.looseObject({ id: z.string(), rule: z.string() }).optional() }).optional(),
});

/** A question in JSON; forms and YAML say the same with dotted names. */
const questionSchema = z.looseObject({
  tasktype: z.string().meta({ examples: ['uri://docker-container'] }),
  taskinfo: z.looseObject({ image: z.string().optional() }).optional(),
  resources: resources.optional(),
});

const QUERY: readonly ApiParameter[] = [
  { name: 'tasktype', in: 'query', description: 'the kind of task', schema: { type: 'string' } },
  { name: 'taskinfo.image', in: 'query', description: 'the image, for uri://docker-container', schema: { type: 'string' } },
  { name: 'words', in: 'query', description: 'yes,no,maybe for who understands MAYBE', schema: { type: 'string' } },
];

const FORM: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } };
const YAML = 'application/yaml';

/** What the Execution Planner says of itself; a test compares it with its routes and answers. `record`: whether /record is served. */
export function plannerApi(options: { readonly record: boolean }): ApiDescription {
  const record: ApiOperation = { method: 'get', path: '/record', name: 'getRecord', summary: 'The registry record of this planner', answers: { 200: { description: 'VOResource', content: { 'text/xml': { type: 'string' } } } } };
  return {
    operations: [
      ...['/accepts', '/accept'].flatMap(asking),
      { method: 'get', path: '/services.json', name: 'listServices', summary: 'What can be asked for here', answers: { 200: { description: 'platforms and their task types', content: { 'application/json': { type: 'object' } } } } },
      ...(options.record ? [record] : []),
    ],
    schemas: { Question: published(questionSchema, 'input'), Answer: published(answerSchema) },
  };
}

function asking(path: string): readonly ApiOperation[] {
  const name = path.slice(1);
  const answers = { 200: { description: 'yes or no, and why', content: { 'application/json': schemaOf('Answer'), [YAML]: { type: 'object' }, 'application/xml': { type: 'string' } } } };
  const body = { 'application/json': schemaOf('Question'), [YAML]: schemaOf('Question'), 'application/x-www-form-urlencoded': FORM, 'multipart/form-data': FORM };
  return [
    { method: 'get', path, name: `${name}Get`, summary: 'Can this task be run here?', parameters: QUERY, answers },
    { method: 'post', path, name: `${name}Post`, summary: 'Can this task be run here?', body, answers },
  ];
}
