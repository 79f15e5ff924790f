import { request, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { GatewayError } from '../errors.ts';
import type { Handler, HttpContext } from '../http/handler.ts';
import { answerHeaders, type ProxiedPlace, requestHeaders, websocketHeaders } from '../http/proxy-headers.ts';
import { callerOf, holderOf } from '../http/request-caller.ts';
import { type Upgrade, websocketOf } from '../http/upgrade.ts';
import type { Endpoint } from '../task/endpoints.ts';
import { deniedSignal, goneSignal } from './gone-signal.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';

/** Until the program must have begun to answer (milliseconds). */
const ANSWER_WITHIN = 60_000;
/** Bytes of the head of an answer. */
const HEAD = 16 * 1024;

/**
 * `{job}/endpoints/{service}/{port}/…`: what the job serves there, to its owner alone. The request is made anew, by a list of what passes
 * (proxy-headers.ts), over a connection of its own; body and answer are streamed.
 */
export function proxyEndpoint(parts: UwsParts): Handler {
  return async function proxyEndpoint(ctx) {
    const id = pathParameter(ctx, 'id');
    const endpoint = { service: pathParameter(ctx, 'service'), port: portOf(pathParameter(ctx, 'port')) };
    const upgrade = websocketOf(ctx.req);
    if (upgrade !== undefined) refuseForeign(ctx, parts);
    await parts.service.endpoints.check(id, endpoint, callerOf(ctx));
    const gone = goneSignal(ctx);
    const place = placeOf(parts, id, endpoint);
    const path = pathOf(ctx);
    if (path === undefined) {
      ctx.status = 308;
      ctx.res.setHeader('Location', `${place.prefix}/`);
      return;
    }
    const connection = await parts.connections.opened(holderOf(ctx), () => parts.service.endpoints.connect(id, endpoint, callerOf(ctx), gone));
    const closed = new AbortController();
    connection.once('close', () => closed.abort());
    // whether it is an answer or a tunnel, it ends for who may not have it any more
    deniedSignal(ctx, parts.clock, (caller) => parts.service.endpoints.check(id, endpoint, caller), closed.signal).addEventListener('abort', () => connection.destroy());
    ctx.res.once('close', () => {
      if (upgrade === undefined) connection.destroy();
    });
    const ask = request({
      method: ctx.method, path, headers: requestHeaders(ctx.req.headers, place, upgrade !== undefined), createConnection: () => connection, maxHeaderSize: HEAD, setHost: false,
    });
    const answer = answerTo(ask);
    if (upgrade === undefined) ctx.req.pipe(ask);
    else ask.end();
    const { message, switched } = await answer.catch((error: unknown) => {
      connection.destroy();
      throw new GatewayError('Unavailable', 'the job does not answer there (yet)', { cause: error, headers: { 'Retry-After': '2' } });
    });
    if (switched !== undefined && upgrade !== undefined) return tunnel(ctx, upgrade, message, switched);
    const { statusCode = 0 } = message;
    if (switched !== undefined || statusCode < 200 || statusCode > 599) {
      connection.destroy();
      throw new GatewayError('Unavailable', 'what the job answers there is no answer to this');
    }
    ctx.res.statusCode = statusCode;
    for (const name of ['Vary', 'Accept-Ranges']) ctx.res.removeHeader(name);
    for (const [name, value] of Object.entries(answerHeaders(message.headers, place))) ctx.res.setHeader(name, value);
    if (ctx.method === 'HEAD' || statusCode === 204 || statusCode === 304) {
      connection.destroy();
      ctx.respond = false;
      ctx.res.end();
      return;
    }
    ctx.respond = false;
    // an answer that breaks off must break off for the caller too
    pipeline(message, ctx.res, () => connection.destroy());
  };
}

interface EndpointAnswer {
  readonly message: IncomingMessage;
  /** What the connection has become, and what has come on it. */
  readonly switched?: { readonly connection: Duplex; readonly head: Buffer };
}

function answerTo(ask: ClientRequest): Promise<EndpointAnswer> {
  return new Promise((resolve, reject) => {
    // by a clock of its own: the connection is no socket, and knows none
    const late = AbortSignal.timeout(ANSWER_WITHIN);
    const end = (): unknown => ask.destroy(new Error('no answer in time'));
    late.addEventListener('abort', end);
    ask.on('error', reject);
    ask.once('response', (message) => {
      late.removeEventListener('abort', end);
      resolve({ message });
    });
    ask.once('upgrade', (message, connection, head) => {
      late.removeEventListener('abort', end);
      resolve({ message, switched: { connection, head } });
    });
  });
}

function tunnel(ctx: HttpContext, { socket, head }: Upgrade, message: IncomingMessage, switched: NonNullable<EndpointAnswer['switched']>): void {
  ctx.respond = false;
  ctx.res.detachSocket(socket);
  socket.setTimeout(0);
  const lines = Object.entries(websocketHeaders(message.headers) as OutgoingHttpHeaders).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
  socket.write(switched.head);
  switched.connection.write(head);
  const end = (): void => {
    socket.destroy();
    switched.connection.destroy();
  };
  switched.connection.once('close', end);
  socket.once('close', end);
  pipeline(socket, switched.connection, end);
  pipeline(switched.connection, socket, end);
}

/** A browser opens WebSockets from any page, and adds the password it was once told. */
function refuseForeign(ctx: HttpContext, { baseUrl }: UwsParts): void {
  const { origin } = ctx.req.headers;
  if (origin !== undefined && origin !== new URL(baseUrl).origin) throw new GatewayError('Forbidden', 'a page of another site may not do this');
}

function portOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new GatewayError('NotFound', 'the job does not serve here');
}

function placeOf({ baseUrl, urls }: UwsParts, id: string, { service, port }: Endpoint): ProxiedPlace {
  const { protocol, host } = new URL(baseUrl);
  const { pathname } = new URL(urls.endpoint(id, service, port));
  return { protocol: protocol.slice(0, -1), host, prefix: pathname.replace(/\/$/, ''), internal: `127.0.0.1:${String(port)}` };
}

/** Path and query as the caller wrote them, after the endpoint's own; undefined where not even a slash follows it. */
function pathOf(ctx: HttpContext): string | undefined {
  const rest = /^\/uws\/[^/?#]+\/[^/?#]+\/endpoints\/[^/?#]+\/[^/?#]+(\/[^#]*)?$/.exec(ctx.req.url ?? '');
  return rest?.[1];
}
