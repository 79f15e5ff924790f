import { Router } from '@koa/router';
import Koa from 'koa';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Identify, identified, setCaller } from './request-caller.ts';
import { findOrigin, trustedProxies, type TrustedProxies } from './client-address.ts';
import { type CorsOptions, crossOrigin } from './cross-origin.ts';
import { errorsAndLog } from './error-handler.ts';
import type { HttpContext } from './handler.ts';
import { knownHost } from './known-host.ts';

/** What the HTTP face is made of. */
export interface AppParts {
  readonly logger: Logger;
  readonly clock: Clock;
  /** URL tables; every path belongs to one of them, and they are case-sensitive. */
  readonly routers: readonly Router[];
  /** The public origin of the gateway, `https://host:port`: what browsers call it when they talk to it. */
  readonly origin: string;
  /** Names beside that of `origin`, `localhost` and addresses by which the gateway is called. */
  readonly hosts?: readonly string[];
  readonly cors?: CorsOptions;
  /** Who is believed where requests come from; absent = nobody. */
  readonly proxies?: TrustedProxies;
  /** Seconds for which browsers that came by TLS shall use nothing else; absent = not said. */
  readonly hsts?: number;
  readonly identify?: Identify;
  /** What every 401 says of the ways to log in: one WWW-Authenticate header each. */
  readonly challenges?: readonly string[];
}

/**
 * The Koa application: errors and log outermost, headers that every answer has, its own name, CORS, then the URL tables; what no table has
 * is 404, a method that its path does not have 405. Checks come in the order route, caller, method, then the operation's own.
 */
export function createApp(parts: AppParts): Koa {
  const app = new Koa();
  const root = new Router({ sensitive: true });
  root.use(refuseBadEscapes);
  root.use(identified(parts.identify));
  for (const router of parts.routers) root.use(router.routes());
  app.use(setCommonHeaders);
  app.use(findOrigin(parts.proxies ?? trustedProxies([]), parts.hsts ?? 0));
  app.use(challenge(parts.challenges ?? []));
  app.use(errorsAndLog(parts.logger, parts.clock));
  app.use(knownHost(parts.origin, parts.hosts ?? []));
  app.use(crossOrigin(parts.cors ?? { origins: [] }, parts.origin));
  app.use(root.routes());
  app.use(refuseRest(parts.identify));
  // A client that goes away in the middle of an answer is no fault of anybody's.
  app.on('error', (error: unknown) => parts.logger.debug({ err: error }, 'answer broken off'));
  return app;
}

/**
 * Nothing may be kept by caches, or polling clients see stale phases; answers differ by Accept, Authorization and Origin; and
 * no browser shall guess a type.
 */
async function setCommonHeaders(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  const { res } = ctx;
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Vary', 'Accept, Authorization, Origin');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  await next();
}

/**
 * A 401 without a challenge would leave the client without a way to go on (RFC 9110 §15.5.2), and a 403 says to who is nobody yet that
 * somebody may be allowed more (AuthVO).
 */
function challenge(challenges: readonly string[]): Koa.Middleware {
  return async function challengeUnknown(ctx, next) {
    await next();
    const { caller } = ctx.state as { readonly caller?: Caller };
    const couldHelp = ctx.status === 401 || (ctx.status === 403 && caller?.id === null);
    if (couldHelp && !ctx.res.hasHeader('WWW-Authenticate') && challenges.length > 0) ctx.res.setHeader('WWW-Authenticate', [...challenges]);
  };
}

/** What comes here has no operation: 404 where the path is in no table, else 405, or the answer to OPTIONS. */
function refuseRest(identify: Identify | undefined): Koa.Middleware {
  return async function refuseUnknown(ctx) {
    const methods = methodsOf(ctx as HttpContext);
    if (methods.length === 0) throw refusedPath(ctx.path);
    const allow = { Allow: [...methods, 'OPTIONS'].join(', ') };
    if (ctx.method === 'OPTIONS') {
      ctx.status = 204;
      ctx.set(allow);
      return;
    }
    await setCaller(ctx, identify);
    throw new GatewayError('MethodNotAllowed', `the method ${ctx.method} is not possible here`, { headers: allow });
  };
}

/** The methods of this path, in the order in which people write them. */
function methodsOf(ctx: HttpContext): readonly string[] {
  const found = new Set((ctx.matched ?? []).flatMap(({ methods }) => methods));
  return ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'].filter((method) => found.has(method));
}

function refusedPath(path: string): GatewayError {
  return isWellEscaped(path) ? new GatewayError('NotFound', 'there is nothing at this path') : badEscape();
}

async function refuseBadEscapes(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  if (ctx.path.includes('%') && !isWellEscaped(ctx.path)) throw badEscape();
  await next();
}

function isWellEscaped(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function badEscape(): GatewayError {
  return new GatewayError('BadRequest', 'the path has a percent escape that is none, or one of bytes that are not UTF-8');
}
