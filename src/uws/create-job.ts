import type { CreateRequest } from '../execution/job-service.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { GatewayError } from '../errors.ts';
import { seeOther } from './answer.ts';
import { creationKey } from './creation-key.ts';
import { type Control, type JobRequest, parseJobRequest } from './job-request.ts';
import type { UwsParts } from './parts.ts';
import { readRequestFields } from './request-fields.ts';

/** Controls that a creation takes, in its body or its query (UWS 1.1 §2.2.3.1). */
export const CREATION_CONTROLS: readonly Control[] = ['PHASE', 'RUNID', 'DESTRUCTION', 'EXECUTIONDURATION', 'LIFETIME', 'DECISION'];

/** `POST {jobs}` (UWS 1.1 §2.2.3.1): a new job, then 303 to it. The same Idempotency-Key again is the same job. */
export function createJob({ list, service, urls, bodyLimit }: UwsParts): Handler {
  return async function createJob(ctx) {
    const asked = parseJobRequest(await readRequestFields(ctx, bodyLimit, 'creation'), CREATION_CONTROLS, list);
    const job = await service.create(creationOf(asked, ctx.req.headers['idempotency-key']), callerOf(ctx));
    seeOther(ctx, urls.job(job.id));
  };
}

/** What the service is asked for. Throws BadParameter for a PHASE other than RUN. */
export function creationOf(asked: JobRequest, key: string | string[] | undefined): CreateRequest {
  if (asked.phase === 'ABORT') throw new GatewayError('BadParameter', 'PHASE must be RUN at a creation, or absent', { path: 'PHASE' });
  const { parameters, runId, destruction, executionDuration, phase, decision } = asked;
  return {
    parameters,
    run: phase === 'RUN',
    ...(runId === undefined ? {} : { runId }),
    ...(destruction === undefined ? {} : { destruction }),
    ...(executionDuration === undefined ? {} : { executionDuration }),
    ...(decision === undefined ? {} : { decision }),
    ...(key === undefined ? {} : { key: creationKey(key, asked) }),
  };
}
