import { callerOf, holderOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { logsOf } from '../execution/job-logs.ts';
import type { Job } from '../job/job.ts';
import { ACTIVE_PHASES } from '../job/phase.ts';
import { seeOther } from './answer.ts';
import { CREATION_CONTROLS, creationOf } from './create-job.ts';
import { goneSignal } from './gone-signal.ts';
import { parseJobRequest } from './job-request.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { readRequestFields } from './request-fields.ts';
import type { JobUrls } from './urls.ts';

/**
 * `POST {jobs}/sync` (UWS 1.1 §4.1): creates a job, runs it, and sends the client to where it waits. The job is an ordinary one of
 * the list and outlives the request. No GET creates: it would change state.
 */
export function postSync({ list, service, urls, bodyLimit }: UwsParts): Handler {
  return async function postSync(ctx) {
    const asked = parseJobRequest(await readRequestFields(ctx, bodyLimit, 'creation'), CREATION_CONTROLS, list);
    const request = creationOf({ ...asked, phase: asked.phase ?? 'RUN' }, ctx.req.headers['idempotency-key']);
    const job = await service.create(request, callerOf(ctx));
    seeOther(ctx, urls.sync(job.id));
  };
}

/**
 * `GET {jobs}/sync/{id}`: holds the answer until the job is over, then 303 to its main result; after the cap 303 to itself, so
 * that no proxy loses patience.
 */
export function getSync({ urls, waiting }: UwsParts): Handler {
  return async function getSync(ctx) {
    const id = pathParameter(ctx, 'id');
    const caller = callerOf(ctx);
    const job = await waiting.waitForEnd(id, caller, goneSignal(ctx), holderOf(ctx));
    if (waiting.closed) ctx.res.setHeader('Connection', 'close');
    seeOther(ctx, ACTIVE_PHASES.has(job.phase) && job.phase !== 'PENDING' ? urls.sync(id) : mainResult(job, urls));
  };
}

/** Where the answer of a job that is over lies: its one output file, the one called result, else stdout; its error; the job. */
function mainResult(job: Job, urls: JobUrls): string {
  if (job.error !== null) return urls.child(job.id, 'error');
  const logs = logsOf(job.task).map(({ id }) => id);
  const files = job.results.map(({ id }) => id).filter((id) => !logs.includes(id));
  const main = files.length === 1 ? files[0] : (files.find((id) => /^result(\.[^/]*)?$/.test(id)) ?? job.results.find(({ id }) => id === 'stdout')?.id);
  return main === undefined ? urls.job(job.id) : urls.result(job.id, main);
}
