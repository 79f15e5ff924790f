import type { HttpContext } from '../http/handler.ts';

/** A part of the path, percent-decoded; the route guarantees that it is there. */
export function pathParameter(ctx: HttpContext, name: string): string {
  return ctx.params[name] ?? '';
}
