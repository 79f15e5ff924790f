import { GatewayError } from '../errors.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { contentTypeOf, decodeText, readBody } from '../http/request-body.ts';
import { seeOther } from './answer.ts';
import { parseJobRequest } from './job-request.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';

/** `PUT {job}/parameters/{name}` (UWS 1.1 §2.2.3.7): the body is the value. Throws UnsupportedMediaType for other than plain text. */
export function putParameter({ list, service, urls, bodyLimit }: UwsParts): Handler {
  return async function putParameter(ctx) {
    const id = pathParameter(ctx, 'id');
    const caller = callerOf(ctx);
    await service.revision(id, caller);
    const type = contentTypeOf(ctx.req);
    if (type !== undefined && type.value !== 'text/plain') throw new GatewayError('UnsupportedMediaType', 'the value of a parameter must be text/plain');
    const name = pathParameter(ctx, 'name');
    const uploads = new Map([[name, decodeText(await readBody(ctx.req, bodyLimit), type)]]);
    const { parameters } = parseJobRequest({ query: [], body: [], uploads }, [], list);
    await service.change(id, caller, { parameters });
    seeOther(ctx, urls.job(id));
  };
}
