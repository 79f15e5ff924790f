import { GatewayError } from '../errors.ts';
import type { Handler } from '../http/handler.ts';
import { valuesOf } from '../http/parameters.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Job } from '../job/job.ts';
import { answer, seeOther } from './answer.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { representationOf } from './representation.ts';
import { knownFields, readRequestFields } from './request-fields.ts';

/** More groups than anybody shares with, and what the name of one may be. */
const MAX_GROUPS = 50;
const GROUP = /^[\x21-\x7e](?:[\x20-\x7e]{0,2046}[\x21-\x7e])?$/;

/** `GET {job}/sharing`: the groups whose members may read the job, a line each. Ours, UWS knows nothing of it. */
export function getSharing({ service }: UwsParts): Handler {
  return async function getSharing(ctx) {
    const groups = sharedWith(await service.get(pathParameter(ctx, 'id'), callerOf(ctx)));
    if (representationOf(ctx) === 'json') answer(ctx, 'json', JSON.stringify(groups));
    else answer(ctx, 'text', groups.join('\n'));
  };
}

/** `POST {job}/sharing`: shares the job with the groups given as GROUP, and with no others any more; an empty GROUP alone ends it. */
export function postSharing({ service, urls, bodyLimit }: UwsParts): Handler {
  return async function postSharing(ctx) {
    const id = pathParameter(ctx, 'id');
    const caller = callerOf(ctx);
    await service.revision(id, caller);
    const fields = knownFields(await readRequestFields(ctx, bodyLimit, 'sharing'), ['GROUP']);
    await service.share(id, caller, parseGroups(valuesOf(fields, 'GROUP')));
    seeOther(ctx, urls.job(id));
  };
}

function sharedWith({ sharedWith: groups = [] }: Job): readonly string[] {
  return groups;
}

function parseGroups(values: readonly string[]): readonly string[] {
  if (values.length === 0) throw bad('is missing; give it empty to share with nobody');
  const groups = [...new Set(values.filter((value) => value !== ''))];
  if (groups.length > MAX_GROUPS) throw bad(`is given more than ${String(MAX_GROUPS)} times`);
  if (!groups.every((group) => GROUP.test(group))) throw bad('must be the name of a group, in ASCII');
  return groups;
}

function bad(what: string): GatewayError {
  return new GatewayError('BadParameter', `GROUP ${what}`, { path: 'GROUP' });
}
