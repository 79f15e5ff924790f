import type { Context } from 'koa';
import { ANONYMOUS, type Caller, holderName } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { addressOf } from './client-address.ts';
import type { Middleware } from './handler.ts';

/** Who sends this request. Throws Unauthenticated, with its challenges, for credentials that are not valid. */
export type Identify = (ctx: Context) => Promise<Caller>;

/** `Authorization: Basic Og==`, a user and a password of no letters: what clients send that were told to log in as nobody. */
const NOBODY = /^basic\s+Og==$/i;

const CHALLENGE = 'Basic realm="pratique", charset="UTF-8"';

/** Finds the caller of each request that has a route. Where no way to log in is configured, any credential is a wrong one. */
export function identified(identify: Identify | undefined): Middleware {
  return async function identifyCaller(ctx, next) {
    await setCaller(ctx, identify);
    await next();
  };
}

/** Makes `callerOf` know who asks. Throws Unauthenticated. */
export async function setCaller(ctx: Context, identify: Identify | undefined): Promise<void> {
  ctx.state.identify = identify;
  const { authorization } = ctx.req.headers;
  if (authorization !== undefined && NOBODY.test(authorization)) ctx.state.caller = ANONYMOUS;
  else if (identify !== undefined) ctx.state.caller = await identify(ctx);
  else if (authorization === undefined) ctx.state.caller = ANONYMOUS;
  else throw new GatewayError('Unauthenticated', 'these credentials are not known here', { headers: { 'WWW-Authenticate': CHALLENGE } });
  // AuthVO: how a client learns that it is known; on no answer to anybody else
  const { id } = callerOf(ctx);
  if (id !== null) ctx.res.setHeader('X-VO-Authenticated', id);
}

/** The caller that `identified` has found. */
export function callerOf(ctx: Context): Caller {
  return ctx.state.caller as Caller;
}

/** Who the sender of this request is by now, for an answer that takes long. Throws Unauthenticated where its credential is good no more, and Unavailable. */
export async function callerNow(ctx: Context): Promise<Caller> {
  const { identify, caller } = ctx.state as { readonly identify: Identify | undefined; readonly caller: Caller };
  return caller.until === undefined || identify === undefined ? caller : identify(ctx);
}

/** Who holds what this request takes of something that all share. */
export function holderOf(ctx: Context): string {
  return holderName(callerOf(ctx), addressOf(ctx));
}
