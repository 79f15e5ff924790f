import { callerOf, holderOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { queryOf } from '../http/parameters.ts';
import { answer } from './answer.ts';
import { goneSignal } from './gone-signal.ts';
import { pathParameter } from './path-parameter.ts';
import type { UwsParts } from './parts.ts';
import { representationOf } from './representation.ts';
import { parseWait } from './wait.ts';

/** `GET {job}` (UWS 1.1 §2.2.1.2), held while WAIT says so; a HEAD never is. */
export function getJob({ documents, waiting }: UwsParts): Handler {
  return async function getJob(ctx) {
    const representation = representationOf(ctx);
    const id = pathParameter(ctx, 'id');
    const caller = callerOf(ctx);
    const asked = parseWait(queryOf(ctx), waiting.cap);
    if (asked.seconds === 0 || ctx.method === 'HEAD') return answer(ctx, representation, await documents.read(id, caller, representation));
    const job = await waiting.wait(id, caller, asked, goneSignal(ctx), holderOf(ctx));
    if (waiting.closed) ctx.res.setHeader('Connection', 'close');
    answer(ctx, representation, await documents.render(job, representation));
  };
}
