import type { HttpContext } from '../http/handler.ts';

/** The id of a result as the end of the path: each part decoded by itself; an encoded slash is no slash, and no id has one within a part. */
export function resultIdOf(ctx: HttpContext): string {
  const parts = ctx.path.replace(/\/+$/, '').split('/');
  const rest = parts.slice(parts.indexOf('results') + 1).map((part) => decodeURIComponent(part));
  return rest.some((part) => part.includes('/')) ? '' : rest.join('/');
}
