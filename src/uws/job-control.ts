import type { JobChanges } from '../execution/job-service.ts';
import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Handler, HttpContext } from '../http/handler.ts';
import { seeOther } from './answer.ts';
import { type Control, type JobRequest, parseJobRequest } from './job-request.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import type { RequestDocument } from './request-documents.ts';
import { knownFields, readRequestFields } from './request-fields.ts';

/** `DELETE {job}` (UWS 1.1 §2.2.3.2): gone at once, 303 to the list, to its bare URL because clients compare it. */
export function deleteJob({ service, urls }: UwsParts): Handler {
  return async function deleteJob(ctx) {
    await service.delete(pathParameter(ctx, 'id'), callerOf(ctx));
    seeOther(ctx, urls.list);
  };
}

/**
 * `POST {job}`: ACTION=DELETE for HTML forms (§2.2.3.2), and what uws-client and vollt's clients post there: PHASE, limits,
 * run id and parameters. Never anything when nothing is asked for.
 */
export function postJob(parts: UwsParts): Handler {
  return async function postJob(ctx) {
    const { id, caller, asked } = await readChange(ctx, parts, 'change', ['ACTION', 'PHASE', 'MESSAGE', 'RUNID', 'DESTRUCTION', 'EXECUTIONDURATION', 'LIFETIME']);
    if (asked.action === 'DELETE') {
      await parts.service.delete(id, caller);
      return seeOther(ctx, parts.urls.list);
    }
    const changes = changesOf(asked);
    if (asked.phase === undefined && changes === undefined) throw new GatewayError('BadParameter', 'nothing is asked for: give ACTION=DELETE, PHASE, or parameters to change');
    if (changes !== undefined) await parts.service.change(id, caller, changes);
    if (asked.phase !== undefined) await changePhase(parts, id, caller, asked.phase, asked.message);
    seeOther(ctx, parts.urls.job(id));
  };
}

/** `POST {job}/phase` (§2.2.3.5): RUN or ABORT. */
export function postPhase(parts: UwsParts): Handler {
  return async function postPhase(ctx) {
    const { id, caller, asked } = await readChange(ctx, parts, 'phase', ['PHASE', 'MESSAGE']);
    await changePhase(parts, id, caller, needed('PHASE', asked.phase), asked.message);
    seeOther(ctx, parts.urls.job(id));
  };
}

/** `POST {job}/executionduration` (§2.2.3.4): 303 also where the site gives less than was asked for. */
export function postExecutionDuration(parts: UwsParts): Handler {
  return async function postExecutionDuration(ctx) {
    const { id, caller, asked } = await readChange(ctx, parts, 'executionduration', ['EXECUTIONDURATION', 'LIFETIME']);
    await parts.service.change(id, caller, { executionDuration: needed('EXECUTIONDURATION', asked.executionDuration) });
    seeOther(ctx, parts.urls.job(id));
  };
}

/** `POST {job}/destruction` (§2.2.3.3). */
export function postDestruction(parts: UwsParts): Handler {
  return async function postDestruction(ctx) {
    const { id, caller, asked } = await readChange(ctx, parts, 'destruction', ['DESTRUCTION']);
    await parts.service.change(id, caller, { destruction: needed('DESTRUCTION', asked.destruction) });
    seeOther(ctx, parts.urls.job(id));
  };
}

/** `POST {job}/parameters` (§2.2.3.7) while the job is PENDING; RUNID is one of them for TAP's clients. */
export function postParameters(parts: UwsParts): Handler {
  return async function postParameters(ctx) {
    const { id, caller, asked } = await readChange(ctx, parts, 'parameters', ['RUNID']);
    const changes = changesOf(asked);
    if (changes === undefined) throw new GatewayError('BadParameter', 'no parameter is given');
    await parts.service.change(id, caller, changes);
    seeOther(ctx, parts.urls.job(id));
  };
}

interface Change {
  readonly id: string;
  readonly caller: Caller;
  readonly asked: JobRequest;
}

/** Whose job it is comes before what the request says: 404 and 403 are answered without reading a body. */
async function readChange(ctx: HttpContext, { list, service, bodyLimit }: UwsParts, kind: RequestDocument, controls: readonly Control[]): Promise<Change> {
  const id = pathParameter(ctx, 'id');
  const caller = callerOf(ctx);
  await service.revision(id, caller);
  const given = await readRequestFields(ctx, bodyLimit, kind);
  if (kind !== 'change' && kind !== 'parameters') knownFields(given, controls);
  return { id, caller, asked: parseJobRequest(given, controls, list) };
}

async function changePhase({ service }: UwsParts, id: string, caller: Caller, phase: 'RUN' | 'ABORT', message: string | undefined): Promise<void> {
  if (phase === 'ABORT') return void (await service.abort(id, caller, message));
  if (message !== undefined) throw new GatewayError('BadParameter', 'MESSAGE goes with PHASE=ABORT only', { path: 'MESSAGE' });
  await service.run(id, caller);
}

function changesOf({ parameters, runId, destruction, executionDuration }: JobRequest): JobChanges | undefined {
  const changes = {
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(runId === undefined ? {} : { runId }),
    ...(destruction === undefined ? {} : { destruction }),
    ...(executionDuration === undefined ? {} : { executionDuration }),
  };
  return Object.keys(changes).length === 0 ? undefined : changes;
}

function needed<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw new GatewayError('BadParameter', `${name} is missing`, { path: name });
  return value;
}
