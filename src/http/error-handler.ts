import type { Context } from 'koa';
import type { Clock } from '../clock.ts';
import { ERRORS, type ErrorCode, GatewayError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Middleware } from './handler.ts';
import { prefersJson } from './negotiate.ts';
import { hasBody } from './request-body.ts';

/** RFC 9457 `type` of each error: this and its code. A name, not a place. */
export const PROBLEM_TYPE = 'https://pratique.dev/problems/';

/** An error in JSON (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** Where in the request the error lies. */
  readonly path?: string;
}

/**
 * The only place where an error becomes bytes: one line of plain text that names what is wrong, or problem+json for those who
 * prefer JSON. What is not a GatewayError is a fault of ours: the client learns nothing of it, the log all. Also logs requests:
 * changes and refusals at `info`, reads at `debug`.
 */
export function errorsAndLog(logger: Logger, clock: Clock): Middleware {
  return async function answerErrors(ctx, next) {
    const began = clock.now();
    try {
      await next();
    } catch (error) {
      answerError(ctx, asGatewayError(error, ctx, logger));
    }
    const fields = { method: ctx.method, path: ctx.path, status: ctx.status, milliseconds: clock.now() - began };
    if (ctx.method === 'GET' && ctx.status < 400) logger.debug(fields, 'request');
    else logger.info(fields, 'request');
  };
}

function asGatewayError(error: unknown, ctx: Context, logger: Logger): GatewayError {
  if (error instanceof GatewayError) {
    if (error.status >= 500) logger.warn({ err: error, method: ctx.method, path: ctx.path }, 'request failed');
    return error;
  }
  logger.error({ err: error, method: ctx.method, path: ctx.path }, 'request failed');
  return new GatewayError('Internal', 'the gateway failed; its log says why', { cause: error });
}

/** Sets the answer that tells of `error`. */
export function answerError(ctx: Context, error: GatewayError): void {
  ctx.status = error.status;
  for (const [name, value] of Object.entries(error.headers)) ctx.res.setHeader(name, value);
  if (error.status === 503 && error.headers['Retry-After'] === undefined) ctx.res.setHeader('Retry-After', '10');
  // What the client still sends would be taken for its next request.
  if (hasBody(ctx.req) && !ctx.req.complete) ctx.res.setHeader('Connection', 'close');
  if (prefersJson(ctx.req.headers.accept)) {
    ctx.body = JSON.stringify(problemOf(error));
    ctx.res.setHeader('Content-Type', 'application/problem+json');
  } else {
    ctx.body = `${error.code}: ${oneLine(error.message)}\n`;
    ctx.res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  }
}

/** The error as RFC 9457 has it. */
export function problemOf(error: GatewayError): Problem {
  const { code, status, message: detail, path } = error;
  return { type: PROBLEM_TYPE + code, title: ERRORS[code].title, status, detail, code, ...(path === undefined ? {} : { path }) };
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ');
}
