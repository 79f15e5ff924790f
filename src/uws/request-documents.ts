import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import type { Field } from '../http/request-body.ts';

const value = z.union([z.string(), z.number()]);

/** A compose file may be written as what it is; of no other parameter is that a value. */
const document = z.record(z.string(), z.unknown());

/** Parameters by name; a list gives a name several times. Which names and values are right is the task's to say. */
const parameters = z.custom(refuseProto, 'Unrecognized key: "__proto__"').pipe(z.record(z.string(), z.union([value, z.array(value), document])));

/** A record passes over this one name in silence. */
function refuseProto(given: unknown): boolean {
  return typeof given !== 'object' || given === null || !Object.hasOwn(given, '__proto__');
}
const instant = z.string().meta({ description: 'ISO 8601, UTC, in the future', format: 'date-time', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?Z$' });
const seconds = z.int().min(0).meta({ description: 'seconds of wall clock; 0 = as long as the site allows' });
// its length is counted in characters, which zod does not do; the form's rule holds for both
const message = z.string().meta({ description: 'with ABORT: why, for whoever reads the job', maxLength: 500 });
const decision = z.string().meta({ description: 'the id of the decision by which /accepts said yes', pattern: '^[A-Za-z0-9-]{1,64}$' });
const runId = z.string().meta({ description: 'an echo for the client', maxLength: 64 });

/** What JSON bodies look like: the names of the form parameters in the spelling of the job document. */
export const REQUEST_DOCUMENTS = {
  creation: z.strictObject({ parameters: parameters.optional(), phase: z.literal('RUN').optional(), runId: runId.optional(), destruction: instant.optional(), executionDuration: seconds.optional(), decision: decision.optional() }),
  change: z.strictObject({
    parameters: parameters.optional(), phase: z.enum(['RUN', 'ABORT']).optional(), runId: runId.optional(),
    destruction: instant.optional(), executionDuration: seconds.optional(), action: z.literal('DELETE').optional(), message: message.optional(),
  }),
  phase: z.strictObject({ phase: z.enum(['RUN', 'ABORT']), message: message.optional() }),
  executionduration: z.strictObject({ executionDuration: seconds }),
  destruction: z.strictObject({ destruction: instant }),
  parameters: z.strictObject({ parameters: parameters.optional(), runId: runId.optional() }),
  sharing: z.strictObject({ group: z.array(z.string()).meta({ description: 'groups as rules name them; none = nobody' }) }),
  link: z.strictObject({ lifetime: z.string().optional().meta({ description: 'such as 90, 5m or PT5M; 30 days at most' }) }),
} as const;

export type RequestDocument = keyof typeof REQUEST_DOCUMENTS;

/** A JSON body as the fields of the form that says the same. Throws BadParameter naming the offending member. */
export function documentFields(kind: RequestDocument, body: unknown): readonly Field[] {
  const parsed = REQUEST_DOCUMENTS[kind].safeParse(body);
  if (!parsed.success) throw wrongMember(parsed.error);
  const { parameters: given = {}, ...controls } = parsed.data as { readonly parameters?: z.infer<typeof parameters> };
  const fields = Object.entries(given).flatMap(([name, values]) => [values].flat().map((each) => ({ name, value: typeof each === 'object' ? documentValue(name, each) : String(each) })));
  const said = Object.entries(controls).flatMap(([name, each]) => valuesOf(each).map((value) => ({ name: name.toUpperCase(), value: String(value) })));
  return [...said, ...fields];
}

function documentValue(name: string, given: object): string {
  if (name.toUpperCase() === 'COMPOSEFILE') return JSON.stringify(given);
  throw new GatewayError('BadParameter', `the JSON body, member ${JSON.stringify(`parameters.${name.slice(0, 100)}`)}: must be a text or a number`, { path: `parameters.${name.slice(0, 100)}` });
}

/** An empty list is a name with nothing in it. */
function valuesOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) && given.length === 0 ? [''] : [given].flat();
}

function wrongMember(error: z.ZodError): GatewayError {
  const [issue] = error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...(issue?.path ?? []), ...unknown].map((part) => String(part).slice(0, 100)).join('.');
  return new GatewayError('BadParameter', `the JSON body, ${path === '' ? 'at its top' : `member ${JSON.stringify(path)}`}: ${issue?.message ?? 'wrong'}`, { path });
}
