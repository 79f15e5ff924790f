import { isIP } from 'node:net';
import type { Context, Middleware } from 'koa';
import { GatewayError } from '../errors.ts';

/**
 * Answers only who calls the gateway by a name of its own (RFC 9110 §7.4). A page of a stranger's can have the stranger's own name lead to
 * an address behind its reader's firewall, this machine's say: for the browser the gateway then is the page's own site (DNS rebinding).
 * The name in Host is the stranger's all the same, and is not among these: that of `origin`, `names`, `localhost`, and every
 * address, which nobody can make lead elsewhere. Without a Host comes no browser.
 */
export function knownHost(origin: string, names: readonly string[]): Middleware {
  const known = new Set(['localhost', new URL(origin).hostname, ...names.map((name) => name.toLowerCase())]);
  return async function refuseUnknownHost(ctx: Context, next) {
    const { host } = ctx.req.headers;
    if (host !== undefined && !isKnown(host, known)) {
      throw new GatewayError('Misdirected', 'this gateway is not called by the name in Host; its operator can add names (listen.hosts)', { path: 'Host' });
    }
    await next();
  };
}

function isKnown(host: string, known: ReadonlySet<string>): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]@/\s]+))(?::\d{0,5})?$/.exec(host);
  const [, v6, name = ''] = match ?? [];
  if (v6 !== undefined) return isIP(v6) === 6;
  // a name may end with a dot, which says that it is whole
  return isIP(name) === 4 || known.has(name.toLowerCase().replace(/\.$/, ''));
}
