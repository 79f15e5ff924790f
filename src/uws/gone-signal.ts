import type { Context } from 'koa';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { callerNow, callerOf } from '../http/request-caller.ts';

/** Aborts when the client has gone away, so that nobody works or waits for nobody. */
export function goneSignal(ctx: Context): AbortSignal {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  return gone.signal;
}

/** Between two looks at a credential, at least (milliseconds), whatever is said of how long it is good. */
const LOOK = 1_000;

/**
 * Aborts when the caller may not have the answer any more: the credential that came with the request is looked at again whenever it has
 * to be, and so is what `may` asks; what cannot be found out is no. Looks until `over`.
 */
export function deniedSignal(ctx: Context, clock: Clock, may: (caller: Caller) => Promise<unknown>, over: AbortSignal): AbortSignal {
  const denied = new AbortController();
  const look = async (): Promise<void> => {
    const { id, until: first } = callerOf(ctx);
    for (let until = first; until !== undefined; ) {
      await clock.sleep(Math.max(until - clock.now(), LOOK), over);
      if (over.aborted) return;
      const now = await callerNow(ctx);
      if (now.id !== id) throw new Error('it has become the credential of somebody else');
      await may(now);
      ({ until } = now);
    }
  };
  void look().catch((error: unknown) => denied.abort(error));
  return denied.signal;
}
