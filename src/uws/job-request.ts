import type { Instant } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Field } from '../http/request-body.ts';
import { parseInstant } from '../job/instant.ts';
import type { JobListName } from '../job/job.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { isLogin, isSecretName } from '../task/secret-parameters.ts';
import { parseDuration } from '../task/units.ts';
import { LIST_PARAMETERS, type ListParameters } from './list-parameters.ts';
import type { RequestFields } from './request-fields.ts';
import { isXmlText } from './xml.ts';

/** What a request asks of a job: its control parameters understood, the job's own under their canonical names. */
export interface JobRequest {
  readonly parameters: readonly GivenParameter[];
  readonly phase?: 'RUN' | 'ABORT';
  readonly action?: 'DELETE';
  readonly runId?: string;
  /** The decision of an earlier answer of the planner's. */
  readonly decision?: string;
  /** Why the job is aborted. */
  readonly message?: string;
  readonly destruction?: Instant;
  /** Seconds. */
  readonly executionDuration?: number;
}

/** Parameters that steer the job and are not shown among its parameters (uws.md 3.2 no. 10); LIFETIME is the lucia prototype's EXECUTIONDURATION. */
export const CONTROLS = ['PHASE', 'ACTION', 'RUNID', 'DESTRUCTION', 'EXECUTIONDURATION', 'LIFETIME', 'MESSAGE', 'DECISION', 'RESPONSEFORMAT'] as const;
export type Control = (typeof CONTROLS)[number];

/** More than any command line has. */
const MAX_PARAMETERS = 500;

/**
 * Understands a request's fields, from its query and its body alike; of the controls only those `allowed` here, of parameters those of the
 * job list. Throws BadParameter naming the parameter.
 */
export function parseJobRequest(given: RequestFields, allowed: readonly Control[], list: JobListName): JobRequest {
  const controls = new Map<string, string>();
  const rest: Field[] = [];
  for (const source of [given.query, given.body]) {
    const here = new Set<string>();
    for (const field of source) {
      const name = field.name.toUpperCase();
      if (name === 'RESPONSEFORMAT') continue;
      // addresses are logged, here and on the way
      if (source === given.query && isSecretName(name)) throw inUrl(name);
      if (!(allowed as readonly string[]).includes(name)) rest.push(field);
      else if (here.has(name) || (controls.get(name) ?? field.value) !== field.value) throw repeated(name);
      else controls.set(name, field.value);
      here.add(name);
    }
  }
  return { ...parseControls(controls), parameters: parseParameters(rest, given.uploads, LIST_PARAMETERS[list], allowed) };
}

function parseControls(controls: ReadonlyMap<string, string>): Omit<JobRequest, 'parameters'> {
  if (controls.has('LIFETIME') && controls.has('EXECUTIONDURATION')) throw new GatewayError('BadParameter', 'give LIFETIME or EXECUTIONDURATION, not both', { path: 'LIFETIME' });
  const read = <T>(name: Control, parse: (text: string) => T): T | undefined => {
    const text = controls.get(name);
    return text === undefined ? undefined : parse(text);
  };
  return present({
    phase: read('PHASE', parsePhaseChange),
    action: read('ACTION', parseAction),
    runId: read('RUNID', parseRunId),
    message: read('MESSAGE', parseMessage),
    decision: read('DECISION', parseDecision),
    destruction: read('DESTRUCTION', parseDestruction),
    executionDuration: read('EXECUTIONDURATION', parseExecutionDuration) ?? read('LIFETIME', parseLifetime),
  });
}

type Controls = { readonly [K in keyof Omit<JobRequest, 'parameters'>]?: JobRequest[K] | undefined };

function present(controls: Controls): Omit<JobRequest, 'parameters'> {
  return Object.fromEntries(Object.entries(controls).filter(([, value]) => value !== undefined));
}

function repeated(name: string): GatewayError {
  return new GatewayError('BadParameter', `${name} is given more than once`, { path: name });
}

function inUrl(name: string): GatewayError {
  const [what, path] = isLogin(name) ? ['REGISTRY.<HOST>', 'REGISTRY'] : ['SECRET.<NAME>', 'SECRET'];
  return new GatewayError('BadParameter', `${what} does not belong into a URL: give it in the body`, { path });
}

function parsePhaseChange(text: string): 'RUN' | 'ABORT' {
  if (text === 'RUN' || text === 'ABORT') return text;
  throw new GatewayError('BadParameter', 'PHASE must be RUN or ABORT, in capitals', { path: 'PHASE' });
}

function parseAction(text: string): 'DELETE' {
  if (text === 'DELETE') return text;
  throw new GatewayError('BadParameter', 'ACTION must be DELETE, in capitals', { path: 'ACTION' });
}

function parseRunId(text: string): string {
  if ([...text].length > 64) throw new GatewayError('BadParameter', 'RUNID must not be longer than 64 characters', { path: 'RUNID' });
  if (!isXmlText(text)) throw new GatewayError('BadParameter', 'RUNID holds a character that XML cannot', { path: 'RUNID' });
  return text;
}

function parseMessage(text: string): string {
  if ([...text].length <= 500 && isXmlText(text)) return text;
  throw new GatewayError('BadParameter', 'MESSAGE must not be longer than 500 characters, all of which XML can hold', { path: 'MESSAGE' });
}

function parseDecision(text: string): string {
  if (/^[A-Za-z0-9-]{1,64}$/.test(text)) return text;
  throw new GatewayError('BadParameter', 'DECISION must be the id of a decision as /accepts gave it', { path: 'DECISION' });
}

function parseDestruction(text: string): Instant {
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  throw new GatewayError('BadParameter', 'DESTRUCTION must be a UTC date-time in ISO 8601, such as 2026-01-31T12:00:00Z', { path: 'DESTRUCTION' });
}

function parseExecutionDuration(text: string): number {
  // Whole seconds and nothing else; what is too long is cut to the site's limit, so no digit is too many.
  if (/^\d+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  throw new GatewayError('BadParameter', 'EXECUTIONDURATION must be a whole number of seconds, 0 or more', { path: 'EXECUTIONDURATION' });
}

function parseLifetime(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw new GatewayError('BadParameter', 'LIFETIME must be a duration such as 90, 5m or PT5M', { path: 'LIFETIME' });
}

/** Fields as the job's parameters; a value `param:NAME` stands for the upload of that name (DALI 1.1 §3.4.5), and so does the upload itself. */
function parseParameters(fields: readonly Field[], uploads: ReadonlyMap<string, string>, { nameOf, longest }: ListParameters, controls: readonly Control[]): readonly GivenParameter[] {
  const used = new Set<string>();
  const parameters = fields.map(({ name: given, value }): GivenParameter => {
    const name = nameOf(given, controls);
    // a secret that looks like a reference is none: an error would quote it
    if (isSecretName(name) || !value.startsWith('param:')) return checked({ name, value }, longest);
    const upload = uploads.get(value.slice('param:'.length));
    if (upload === undefined) throw new GatewayError('BadParameter', `${name}: the request has no upload ${JSON.stringify(value.slice(6, 106))}`, { path: name });
    used.add(value.slice('param:'.length));
    return checked({ name, value: upload, byReference: true }, longest);
  });
  for (const [given, value] of uploads) {
    if (!used.has(given)) parameters.push(checked({ name: nameOf(given, controls), value, byReference: true }, longest));
  }
  if (parameters.length > MAX_PARAMETERS) throw new GatewayError('BadParameter', `more than ${String(MAX_PARAMETERS)} parameters`);
  return parameters;
}

function checked(parameter: GivenParameter, longest: number): GivenParameter {
  const { name, value, byReference } = parameter;
  const bad = (what: string): GatewayError => new GatewayError('BadParameter', `${name} ${what}`, { path: name });
  if (Buffer.byteLength(value) > longest) throw bad(`is longer than ${String(longest)} bytes`);
  if (value.includes('\0')) throw bad('holds a NUL, which no command line or environment can');
  if (byReference !== true && !isSecretName(name) && !isXmlText(value)) throw bad('holds a character that XML cannot; give it as an upload');
  return parameter;
}
