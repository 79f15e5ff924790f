import type { Context } from 'koa';

/** Aborts when the client has gone away, so that nobody works or waits for nobody. */
export function goneSignal(ctx: Context): AbortSignal {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  return gone.signal;
}
