import { GatewayError } from '../errors.ts';
import type { HttpContext, Middleware } from './handler.ts';

/** Which foreign web pages may use the gateway from within a browser. */
export interface CorsOptions {
  /** Origins such as `https://portal.example.org`; `*` = every one. Empty = none. */
  readonly origins: readonly string[];
}

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';
const ALLOWED_HEADERS = 'Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Range';
/** What scripts may read of an answer: where a new job is, above all. */
const EXPOSED_HEADERS = 'Location, Content-Disposition, Content-Range, ETag, Repr-Digest, Retry-After, WWW-Authenticate, X-VO-Authenticated';
/** Seconds that a browser may remember the answer to its preflight. */
const REMEMBER = '600';

/**
 * CORS for the configured origins (Fetch standard), and for nobody else: a page of any other origin cannot even send the plain
 * forms that browsers send without asking (a UWS creation is one), because they are refused here by their Origin or
 * Sec-Fetch-Site. Nor can it have a browser spend the password that it remembers on anything else than reading (`mayComeFromElsewhere`).
 * Clients that are no browsers send neither header. Credentials of the browser (cookies) are never asked for.
 */
export function crossOrigin(options: CorsOptions, publicOrigin: string): Middleware {
  const any = options.origins.includes('*');
  const allowed = new Set([...options.origins, publicOrigin]);
  return async function answerCrossOrigin(ctx, next) {
    const { origin } = ctx.req.headers;
    const welcome = origin === undefined || any || allowed.has(origin);
    if (origin !== undefined && welcome) {
      ctx.res.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
      ctx.res.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
    }
    if (ctx.method === 'OPTIONS' && origin !== undefined && ctx.req.headers['access-control-request-method'] !== undefined) {
      ctx.status = 204;
      if (!welcome) return;
      ctx.res.setHeader('Access-Control-Allow-Methods', ALLOWED_METHODS);
      ctx.res.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS);
      ctx.res.setHeader('Access-Control-Max-Age', REMEMBER);
      return;
    }
    const elsewhere = origin === undefined ? isForeign(ctx.req.headers['sec-fetch-site']) : !allowed.has(origin);
    // a browser adds the password it was once told to whatever any page makes it send; a token it adds to nothing
    const password = /^basic\s/i.test(ctx.req.headers.authorization ?? '');
    const foreign = elsewhere && (!any || password);
    if (foreign && !(SAFE.has(ctx.method) && (!password || mayComeFromElsewhere(ctx)))) throw new GatewayError('Forbidden', 'a page of another site may not do this');
    await next();
  };
}

/**
 * What a page of another site may have a browser ask for with its user's password: to go to a page, for people follow links, but not to
 * /accepts, where a question costs; a result by its signed link; and what jobs serve, whose own pages are of another site for browsers,
 * because their origin is nobody's: there it is the job's id, which no other page knows, that keeps strangers out. No other page reads what comes back.
 */
function mayComeFromElsewhere({ method, path, query, req }: HttpContext): boolean {
  if (method === 'OPTIONS') return true;
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination, origin } = req.headers;
  if (origin !== undefined) return false;
  if (mode === 'navigate' && destination === 'document' && !/^\/accepts?$/.test(path)) return true;
  const plain = mode === 'navigate' || mode === 'no-cors';
  return plain && (/^\/uws\/[^/]+\/[^/]+\/endpoints\//.test(path) || (/^\/uws\/[^/]+\/[^/]+\/results\//.test(path) && query.signature !== undefined));
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

function isForeign(site: string | string[] | undefined): boolean {
  return site === 'cross-site' || site === 'same-site';
}
