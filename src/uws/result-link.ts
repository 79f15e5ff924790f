import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import type { Handler, HttpContext } from '../http/handler.ts';
import { queryOf, valueOf } from '../http/parameters.ts';
import { callerOf } from '../http/request-caller.ts';
import { formatInstant } from '../job/instant.ts';
import { parseDuration } from '../task/units.ts';
import { answer } from './answer.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { representationOf } from './representation.ts';
import { knownFields, readRequestFields } from './request-fields.ts';
import { resultIdOf } from './result-id.ts';

/** How long a link is good where nobody says, and at most (seconds). The end of the job is its end too. */
const LIFETIME = 24 * 3600;
const LONGEST = 30 * 24 * 3600;

/**
 * `POST {job}/results/{id}`: a link with which anybody can read this one result for LIFETIME (a day unless it is given). 201, the
 * link in Location and body. Ours, UWS knows nothing of it.
 */
export function postResultLink({ service, urls, bodyLimit, clock, links }: UwsParts): Handler {
  return async function postResultLink(ctx) {
    const id = pathParameter(ctx, 'id');
    const { id: resultId } = await service.ownResult(id, resultIdOf(ctx), callerOf(ctx));
    if (links === undefined) throw new GatewayError('NotFound', 'this site makes no links');
    const fields = knownFields(await readRequestFields(ctx, bodyLimit, 'link'), ['LIFETIME']);
    const seconds = parseLifetime(valueOf(fields, 'LIFETIME'));
    // whole seconds, rounded up: that is how the link says it
    const expires = Math.ceil(clock.now() / 1000 + seconds) * 1000;
    const url = `${urls.result(id, resultId)}?expires=${String(expires / 1000)}&signature=${links.sign(id, resultId, expires)}`;
    if (representationOf(ctx) === 'json') answer(ctx, 'json', JSON.stringify({ href: url, expires: formatInstant(expires) }));
    else answer(ctx, 'text', url);
    ctx.status = 201;
    ctx.res.setHeader('Location', url);
  };
}

/** Who reads a result: whoever has a link may read what it is for, everybody else what is theirs. Throws Forbidden for a link that is not good. */
export function readerOf(ctx: HttpContext, { clock, links }: UwsParts, jobId: string, resultId: string): Caller {
  const query = queryOf(ctx);
  const [signature, expires] = [valueOf(query, 'SIGNATURE'), valueOf(query, 'EXPIRES')];
  if (signature === undefined) return callerOf(ctx);
  const instant = /^\d{1,12}$/.test(expires ?? '') ? Number(expires) * 1000 : 0;
  // the signature comes first: of a forged link nothing is told
  if (links?.isSigned(jobId, resultId, instant, signature) !== true) throw new GatewayError('Forbidden', 'the link is not one of this site\'s');
  if (instant <= clock.now()) throw new GatewayError('Forbidden', 'the link has expired');
  return { id: null, groups: [], mayRead: jobId };
}

function parseLifetime(text: string | undefined): number {
  const seconds = text === undefined ? LIFETIME : parseDuration(text);
  if (seconds !== undefined && seconds > 0 && seconds <= LONGEST) return seconds;
  throw new GatewayError('BadParameter', 'LIFETIME must be a duration such as 90, 5m or PT5M, of 30 days at most', { path: 'LIFETIME' });
}
