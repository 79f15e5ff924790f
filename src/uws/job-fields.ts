import type { Context } from 'koa';
import { GatewayError } from '../errors.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Handler, HttpContext } from '../http/handler.ts';
import type { Instant } from '../clock.ts';
import { formatInstant } from '../job/instant.ts';
import type { Job } from '../job/job.ts';
import { answer, answerAtom } from './answer.ts';
import { errorText } from './job-error.ts';
import { parametersToJson, resultsToJson } from './job-json.ts';
import { valuesOfParameter } from './job-parameters.ts';
import { parametersToXml, resultsToXml } from './job-xml.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { representationOf } from './representation.ts';
import type { JobUrls } from './urls.ts';

/** The atoms of a job: `GET {job}/phase` and its like (UWS 1.1 §2.2.1). None is an empty text, as it is nil in XML. */
const ATOMS = {
  phase: (job: Job) => job.phase,
  executionduration: (job: Job) => job.executionDuration,
  destruction: (job: Job) => instant(job.destruction),
  quote: (job: Job) => instant(job.quote),
  owner: (job: Job) => job.owner,
} as const;

/** `GET {job}/{atom}`: never held, whatever WAIT says, and never a change, whatever PHASE says (Firefly asks so). */
export function getAtom(parts: UwsParts, name: keyof typeof ATOMS): Handler {
  return async function getAtom(ctx) {
    answerAtom(ctx, ATOMS[name](await read(ctx, parts)));
  };
}

/** `GET {job}/error`: 404 unless there is one (DALI 1.1 §3.1.4). */
export function getError(parts: UwsParts): Handler {
  return async function getError(ctx) {
    const text = errorText(await read(ctx, parts));
    if (text === undefined) throw new GatewayError('NotFound', 'the job has not failed');
    answerAtom(ctx, text);
  };
}

/** `GET {job}/parameters`. */
export function getParameters(parts: UwsParts): Handler {
  return getList(parts, parametersToXml, parametersToJson);
}

/** `GET {job}/results`: an empty list where there are none yet. */
export function getResults(parts: UwsParts): Handler {
  return getList(parts, resultsToXml, resultsToJson);
}

/** `GET {job}/parameters/{name}`: the value byte for byte; of a repeated one, a line for each. */
export function getParameter(parts: UwsParts): Handler {
  return async function getParameter(ctx) {
    const values = valuesOfParameter(await read(ctx, parts), pathParameter(ctx, 'name'));
    if (values.length === 0) throw new GatewayError('NotFound', 'the job has no such parameter');
    serveAsFile(ctx);
    answer(ctx, 'text', values.map(({ value }) => value).join('\n'));
  };
}

/** What a stranger wrote must never run as a page of ours. */
export function serveAsFile(ctx: Context): void {
  ctx.res.setHeader('Content-Disposition', 'attachment');
  ctx.res.setHeader('Content-Security-Policy', "sandbox; default-src 'none'");
}

function getList(parts: UwsParts, toXml: (job: Job, urls: JobUrls) => string, toJson: (job: Job, urls: JobUrls) => string): Handler {
  return async function getList(ctx) {
    const job = await read(ctx, parts);
    if (representationOf(ctx) === 'json') answer(ctx, 'json', toJson(job, parts.urls));
    else answer(ctx, 'xml', toXml(job, parts.urls));
  };
}

function read(ctx: HttpContext, { service }: UwsParts): Promise<Job> {
  return service.get(pathParameter(ctx, 'id'), callerOf(ctx));
}

function instant(value: Instant | null): string | null {
  return value === null ? null : formatInstant(value);
}
