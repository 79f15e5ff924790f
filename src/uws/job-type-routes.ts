import { Router } from '@koa/router';
import { GatewayError } from '../errors.ts';
import type { Handler } from '../http/handler.ts';
import { answer } from './answer.ts';
import { type JobTypeParts, jobType } from './job-type.ts';
import { pathParameter } from './path-parameter.ts';

/** `/jobtypes` and `/jobtypes/{name}`: what each job list takes, for programs. Always JSON. */
export function jobTypeRoutes(types: readonly JobTypeParts[]): Router {
  const router = new Router({ sensitive: true });
  router.get('/jobtypes', listJobTypes(types));
  router.get('/jobtypes/:name', getJobType(types));
  return router;
}

function listJobTypes(types: readonly JobTypeParts[]): Handler {
  return function listJobTypes(ctx) {
    answer(ctx, 'json', JSON.stringify({ jobtypes: types.map(jobType) }));
  };
}

function getJobType(types: readonly JobTypeParts[]): Handler {
  return function getJobType(ctx) {
    const name = pathParameter(ctx, 'name');
    const parts = types.find(({ list }) => list === name);
    if (parts === undefined) throw new GatewayError('NotFound', 'there is no such job type');
    answer(ctx, 'json', JSON.stringify(jobType(parts)));
  };
}
