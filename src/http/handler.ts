import type { RouterContext } from '@koa/router';

/** What a route is given: Koa's context and the parameters of the path, percent-decoded. */
export type HttpContext = RouterContext;

/** One operation: reads the request, sets the answer, throws GatewayError for every other outcome. */
export type Handler = (ctx: HttpContext) => Promise<void> | void;

/** A Koa middleware as we write them. */
export type Middleware = (ctx: HttpContext, next: () => Promise<unknown>) => Promise<void>;
