import { Router } from '@koa/router';
import { createJob } from './create-job.ts';
import { proxyEndpoint } from './endpoint.ts';
import { getEvents } from './get-events.ts';
import { getJob } from './get-job.ts';
import { getResult } from './get-result.ts';
import { deleteJob, postDestruction, postExecutionDuration, postJob, postParameters, postPhase } from './job-control.ts';
import { getAtom, getError, getParameter, getParameters, getResults } from './job-fields.ts';
import { listJobs } from './list-jobs.ts';
import type { UwsParts } from './parts.ts';
import { putParameter } from './put-parameter.ts';
import { postResultLink } from './result-link.ts';
import { getSharing, postSharing } from './sharing.ts';
import { getSync, postSync } from './sync.ts';

/** The URL table of one job list (UWS 1.1 §2.2.1, §2.2.3). HEAD goes with each GET; what is not here is 404 or 405. */
export function uwsRoutes(parts: UwsParts): Router {
  const router = new Router({ prefix: `/uws/${parts.list}`, sensitive: true });
  router.get('/', listJobs(parts));
  router.post('/', createJob(parts));

  router.post('/sync', postSync(parts));
  router.get('/sync/:id', getSync(parts));

  router.get('/:id', getJob(parts));
  router.post('/:id', postJob(parts));
  router.delete('/:id', deleteJob(parts));

  router.get('/:id/phase', getAtom(parts, 'phase'));
  router.post('/:id/phase', postPhase(parts));
  router.get('/:id/executionduration', getAtom(parts, 'executionduration'));
  router.post('/:id/executionduration', postExecutionDuration(parts));
  router.get('/:id/destruction', getAtom(parts, 'destruction'));
  router.post('/:id/destruction', postDestruction(parts));
  router.get('/:id/quote', getAtom(parts, 'quote'));
  router.get('/:id/owner', getAtom(parts, 'owner'));
  router.get('/:id/error', getError(parts));

  router.get('/:id/events', getEvents(parts));

  router.get('/:id/parameters', getParameters(parts));
  router.post('/:id/parameters', postParameters(parts));
  router.get('/:id/parameters/:name', getParameter(parts));
  router.put('/:id/parameters/:name', putParameter(parts));

  router.get('/:id/results', getResults(parts));
  router.get('/:id/results/*result', getResult(parts));
  router.post('/:id/results/*result', postResultLink(parts));

  const proxy = proxyEndpoint(parts);
  router.get('/:id/endpoints/:service/:port', proxy);
  router.get('/:id/endpoints/:service/:port/*rest', proxy);
  router.post('/:id/endpoints/:service/:port', proxy);
  router.post('/:id/endpoints/:service/:port/*rest', proxy);
  router.put('/:id/endpoints/:service/:port', proxy);
  router.put('/:id/endpoints/:service/:port/*rest', proxy);
  router.delete('/:id/endpoints/:service/:port', proxy);
  router.delete('/:id/endpoints/:service/:port/*rest', proxy);

  router.get('/:id/sharing', getSharing(parts));
  router.post('/:id/sharing', postSharing(parts));
  return router;
}
