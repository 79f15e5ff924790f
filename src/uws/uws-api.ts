import type { JobListName } from '../job/job.ts';
import { PHASES } from '../job/phase.ts';
import { type ApiAnswer, type ApiDescription, type ApiOperation, type ApiParameter, type JsonSchema, published, schemaOf } from '../http/openapi.ts';
import { jobListSchema, jobSchema, parametersSchema, resultsSchema } from './document-schemas.ts';
import { creationJsonSchema, type JobTypeParts, parametersJsonSchema } from './job-type.ts';
import { REQUEST_DOCUMENTS, type RequestDocument } from './request-documents.ts';

const FORM = 'application/x-www-form-urlencoded';
const TEXT: JsonSchema = { type: 'string' };

const query = (name: string, description: string, schema: JsonSchema): ApiParameter => ({ name, in: 'query', description, schema });
const header = (name: string, description: string, schema: JsonSchema = TEXT): ApiParameter => ({ name, in: 'header', description, schema });

const FORMAT = query('RESPONSEFORMAT', 'overrides Accept', { type: 'string', enum: ['xml', 'json', 'html'] });
const PHASE = query('PHASE', 'with WAIT: only while the job is in this phase', { type: 'string', enum: [...PHASES] });
const WAIT = query('WAIT', 'seconds to hold the answer until the phase changes; -1 = as long as may be', { type: 'integer', minimum: -1 });
const KEY = header('Idempotency-Key', 'the same request with the same key again is the same job', { type: 'string', minLength: 1, maxLength: 255 });
const RANGE = header('Range', 'one range of bytes');

const FILTERS = [
  query('PHASE', 'only jobs in this phase; may be repeated', { type: 'array', items: { type: 'string', enum: [...PHASES] } }),
  query('AFTER', 'only jobs created later than this UTC instant', { type: 'string', format: 'date-time' }),
  query('LAST', 'only the newest', { type: 'integer', minimum: 1 }),
  query('OWNER', '* = the jobs of everybody, for operators', { type: 'string', enum: ['*'] }),
];

const SEE_OTHER: ApiAnswer = { description: 'done; Location says where to look' };

/** A document in XML and JSON. */
function documents(description: string, name: string): ApiAnswer {
  return { description, content: { 'text/xml': TEXT, 'application/json': schemaOf(name), 'text/html': TEXT } };
}

function atom(description: string, schema: JsonSchema): Readonly<Record<number, ApiAnswer>> {
  return { 200: { description, content: { 'text/plain': TEXT, 'application/json': schema } } };
}

/** A body in JSON, or as a form or multipart with the same names. */
function bodiesOf(list: JobListName): Bodies {
  const form: JsonSchema = { type: 'object', additionalProperties: { type: ['string', 'array'] } };
  return (kind) => ({ [FORM]: form, 'multipart/form-data': form, 'application/json': schemaOf(nameIn(list, BODY[kind])) });
}

type Bodies = (kind: RequestDocument) => Readonly<Record<string, JsonSchema>>;

/** Names of operations and schemas are of the whole document; those of the first list are plain. */
function nameIn(list: JobListName, name: string): string {
  return list === 'docker' ? name : `${name}Of${list.charAt(0).toUpperCase()}${list.slice(1)}`;
}

/** What the UWS face of one job list says of itself; a test compares it with the routes. */
export function uwsApi(type: JobTypeParts): ApiDescription {
  const base = `/uws/${type.list}`;
  const job = `${base}/{id}`;
  const body = bodiesOf(type.list);
  return {
    operations: [...listOperations(base, body), ...jobOperations(job, body), ...limitOperations(job, body), ...endpointOperations(job), ...dataOperations(job, body)].map((operation) => ({ ...operation, name: nameIn(type.list, operation.name) })),
    schemas: {
      Job: published(jobSchema),
      JobList: published(jobListSchema),
      Parameters: published(parametersSchema),
      Results: published(resultsSchema),
      ...requestSchemas(type),
    },
  };
}

/** The names under which request bodies are published. */
const BODY: Readonly<Record<RequestDocument, string>> = {
  creation: 'JobCreation', change: 'JobChange', phase: 'PhaseChange', executionduration: 'ExecutionDurationChange', destruction: 'DestructionChange', parameters: 'ParametersChange', sharing: 'SharingChange', link: 'LinkWish',
};

function requestSchemas(type: JobTypeParts): Readonly<Record<string, JsonSchema>> {
  const parameters = parametersJsonSchema(type);
  return Object.fromEntries(
    (Object.keys(REQUEST_DOCUMENTS) as RequestDocument[]).map((kind) => {
      const schema = kind === 'creation' ? creationJsonSchema(type) : published(REQUEST_DOCUMENTS[kind], 'input');
      const properties = schema.properties as Record<string, unknown>;
      return [nameIn(type.list, BODY[kind]), 'parameters' in properties ? { ...schema, properties: { ...properties, parameters } } : schema];
    }),
  );
}

function listOperations(base: string, body: Bodies): readonly ApiOperation[] {
  return [
    { method: 'get', path: base, name: 'listJobs', summary: 'The jobs of the caller, newest first', parameters: [...FILTERS, FORMAT], answers: { 200: documents('the list, however long', 'JobList') } },
    { method: 'post', path: base, name: 'createJob', summary: 'Creates a job', parameters: [KEY], body: body('creation'), answers: { 303: SEE_OTHER } },
    { method: 'post', path: `${base}/sync`, name: 'runSync', summary: 'Creates a job, runs it, and leads to its main result', parameters: [KEY], body: body('creation'), answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${base}/sync/{id}`, name: 'waitSync', summary: 'Waits for the job, then leads to its main result; before that, again to itself', answers: { 303: SEE_OTHER } },
  ];
}

function jobOperations(job: string, body: Bodies): readonly ApiOperation[] {
  const last = header('Last-Event-ID', 'go on after this event');
  return [
    { method: 'get', path: job, name: 'getJob', summary: 'The job', parameters: [WAIT, PHASE, FORMAT], answers: { 200: documents('the job', 'Job') } },
    { method: 'post', path: job, name: 'changeJob', summary: 'ACTION=DELETE, PHASE, limits, parameters', body: body('change'), answers: { 303: SEE_OTHER } },
    { method: 'delete', path: job, name: 'deleteJob', summary: 'Deletes the job and all it left', answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/phase`, name: 'getPhase', summary: 'The phase', answers: atom('the phase', { type: 'string', enum: [...PHASES] }) },
    { method: 'post', path: `${job}/phase`, name: 'changePhase', summary: 'RUN, or ABORT with a message', body: body('phase'), answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/events`, name: 'followJob', summary: 'Phases and log lines as they come: phase, info, stdout, stderr, end', parameters: [last], answers: { 200: { description: 'server-sent events', content: { 'text/event-stream': TEXT } }, 204: { description: 'there is nothing more to tell' } } },
  ];
}

function limitOperations(job: string, body: Bodies): readonly ApiOperation[] {
  const instant: JsonSchema = { type: ['string', 'null'], format: 'date-time' };
  return [
    { method: 'get', path: `${job}/executionduration`, name: 'getExecutionDuration', summary: 'Seconds the job may run', answers: atom('seconds', { type: 'integer' }) },
    { method: 'post', path: `${job}/executionduration`, name: 'setExecutionDuration', summary: 'Sets it, at most the site\'s', body: body('executionduration'), answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/destruction`, name: 'getDestruction', summary: 'When the job will be forgotten', answers: atom('an instant', instant) },
    { method: 'post', path: `${job}/destruction`, name: 'setDestruction', summary: 'Sets it, at most the site\'s', body: body('destruction'), answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/quote`, name: 'getQuote', summary: 'When the job is predicted to be over', answers: atom('an instant', instant) },
    { method: 'get', path: `${job}/owner`, name: 'getOwner', summary: 'Whose job it is', answers: atom('a name; empty = nobody\'s', { type: ['string', 'null'] }) },
    { method: 'get', path: `${job}/error`, name: 'getError', summary: 'Why the job failed', answers: atom('text; 404 where it has not failed', TEXT) },
  ];
}

function endpointOperations(job: string): readonly ApiOperation[] {
  const answers = { 200: { description: "the program's own answer", content: { '*/*': {} } } };
  const at = (path: string, name: string): readonly ApiOperation[] =>
    (['get', 'post', 'put', 'delete'] as const).map((method) => ({ method, path, name: `${method}${name}`, summary: 'What the job serves on a port while it runs, to its owner alone; WebSockets too', answers }));
  return [...at(`${job}/endpoints/{service}/{port}`, 'Endpoint'), ...at(`${job}/endpoints/{service}/{port}/{rest}`, 'EndpointPath')];
}

function dataOperations(job: string, body: Bodies): readonly ApiOperation[] {
  const bytes: ApiAnswer = { description: 'the bytes', content: { '*/*': {} } };
  return [
    { method: 'get', path: `${job}/parameters`, name: 'getParameters', summary: 'The parameters', parameters: [FORMAT], answers: { 200: documents('the parameters', 'Parameters') } },
    { method: 'post', path: `${job}/parameters`, name: 'setParameters', summary: 'Sets parameters of a PENDING job', body: body('parameters'), answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/parameters/{name}`, name: 'getParameter', summary: 'The value of a parameter, byte for byte', answers: { 200: { description: 'the value', content: { 'text/plain': TEXT } } } },
    { method: 'put', path: `${job}/parameters/{name}`, name: 'setParameter', summary: 'Sets one parameter of a PENDING job', body: { 'text/plain': TEXT }, answers: { 303: SEE_OTHER } },
    { method: 'get', path: `${job}/results`, name: 'getResults', summary: 'The results', parameters: [FORMAT], answers: { 200: documents('the results', 'Results') } },
    { method: 'get', path: `${job}/results/{result}`, name: 'getResult', summary: 'A result; its id may have slashes, which stay slashes in the path', parameters: [RANGE], answers: { 200: bytes, 206: bytes, 304: { description: 'the client has it' } } },
    { method: 'post', path: `${job}/results/{result}`, name: 'linkResult', summary: 'Makes a link with which anybody can read this result for a while', body: body('link'), answers: { 201: { description: 'the link', content: { 'text/plain': TEXT, 'application/json': { type: 'object' } } } } },
    { method: 'get', path: `${job}/sharing`, name: 'getSharing', summary: 'The groups whose members may read the job', answers: atom('a line each', { type: 'array', items: TEXT }) },
    { method: 'post', path: `${job}/sharing`, name: 'shareJob', summary: 'Lets the members of these groups, and of no others, read the job', body: body('sharing'), answers: { 303: SEE_OTHER } },
  ];
}
