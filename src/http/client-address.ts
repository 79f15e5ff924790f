import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Context, Middleware } from 'koa';

/** Proxies that are believed what they say of their clients. */
export interface TrustedProxies {
  /** Whether one has this address. */
  has(address: string): boolean;
}

/** Where a request comes from. */
export interface RequestOrigin {
  readonly address: string;
  /** Over TLS, to this gateway or to a proxy that is believed. */
  readonly secure: boolean;
}

/** `entries`: addresses, and networks such as 10.0.0.0/8 or fd00::/8. Throws an Error that names one that is neither. */
export function trustedProxies(entries: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits, ...more] = entry.split('/');
    const type = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    const longest = type === 'ipv4' ? 32 : 128;
    const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    if (isIP(address) === 0 || more.length > 0 || !(prefix <= longest)) throw new Error(`${entry} is neither an address nor a network`);
    list.addSubnet(address, prefix, type);
  }
  return { has: (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6') };
}

/**
 * Who sends a request: the peer of its connection, or, where that is a trusted proxy, the last in X-Forwarded-For that is none. What
 * an untrusted peer says of itself is ignored. X-Forwarded-Host is never looked at: links are made from `baseUrl`.
 */
export function originOf(request: IncomingMessage, proxies: TrustedProxies): RequestOrigin {
  const peer = plain(request.socket.remoteAddress ?? '');
  const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  if (!proxies.has(peer)) return { address: peer, secure: encrypted };
  let address = peer;
  for (const hop of lastFirst(request.headers['x-forwarded-for'])) {
    // what is no address was written by somebody who is not believed
    if (isIP(hop) === 0) break;
    address = hop;
    if (!proxies.has(hop)) break;
  }
  const [protocol] = lastFirst(request.headers['x-forwarded-proto']);
  return { address, secure: protocol === undefined ? encrypted : protocol.toLowerCase() === 'https' };
}

/** Makes `addressOf` know where each request comes from. `hsts`: seconds for which browsers shall use TLS only; 0 = not said. */
export function findOrigin(proxies: TrustedProxies, hsts: number): Middleware {
  return async function findClient(ctx, next) {
    const { address, secure } = originOf(ctx.req, proxies);
    ctx.state.address = address;
    // RFC 6797 §7.2: over plain HTTP it would mean nothing
    if (secure && hsts > 0) ctx.res.setHeader('Strict-Transport-Security', `max-age=${String(hsts)}`);
    await next();
  };
}

/** The address that `findOrigin` has found. */
export function addressOf(ctx: Context): string {
  return ctx.state.address as string;
}

function lastFirst(header: string | readonly string[] | undefined): readonly string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  return text === '' ? [] : text.split(',').map((part) => plain(part.trim())).reverse();
}

/** An IPv4 address in IPv6's clothes is that IPv4 address. */
function plain(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
