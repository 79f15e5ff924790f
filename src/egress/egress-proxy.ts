import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse, createServer, request as send } from 'node:http';
import { type AddressInfo, connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../logger.ts';
import { guardedLookup, isAllowedAddress } from '../untrusted-fetch.ts';
import { allowed, type EgressConfig } from './egress-config.ts';

/** Headers that are for this connection only (RFC 9110 §7.6.1), or for a proxy. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
const CONNECT_WITHIN = 30_000;
const HEADERS_WITHIN = 30_000;
const TOO_LONG = 'nothing passed for too long';
const NOT_A_SERVER = 'this is a proxy: it takes CONNECT, and absolute URLs with http';

interface Target {
  readonly host: string;
  readonly port: number;
  readonly internal: boolean;
}

/**
 * A forward proxy for jobs: CONNECT, and plain HTTP with absolute URLs, to hosts of the list and no others. A name that is not on the
 * list is never resolved; one that is must have no address that it may not have, and what was looked at is what is connected to.
 */
export class EgressProxy {
  readonly #config: EgressConfig;
  readonly #logger: Logger;
  readonly #server: Server;
  /** A tunnel is no request any more, and is not closed with the server's connections. */
  readonly #tunnels = new Set<Duplex>();

  constructor(config: EgressConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#server = createServer({ headersTimeout: HEADERS_WITHIN, requestTimeout: 0, maxHeaderSize: 16 * 1024 }, (request, response) => this.#forward(request, response));
    this.#server.maxConnections = config.connections;
    this.#server.setTimeout(this.#idle);
    this.#server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => this.#tunnel(request, client, head));
  }

  /** Resolves with the port. Rejects where it cannot listen. */
  async listen(): Promise<number> {
    const { host, port } = this.#config.listen;
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends everything that is open. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    for (const tunnel of this.#tunnels) tunnel.destroy();
    await closed;
  }

  get #idle(): number {
    return this.#config.idle * 1000;
  }

  #tunnel(request: IncomingMessage, client: Socket, head: Buffer): void {
    client.on('error', () => client.destroy());
    this.#tunnels.add(client);
    client.once('close', () => this.#tunnels.delete(client));
    const target = targetOf(request.url ?? '', this.#config);
    if (typeof target === 'string') {
      this.#tell(request, 'refused', target);
      client.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${target}\n`);
      return;
    }
    const upstream = connect({ host: target.host, port: target.port, lookup: guardedLookup(target.internal) });
    upstream.setTimeout(Math.min(CONNECT_WITHIN, this.#idle), () => upstream.destroy(new Error(TOO_LONG)));
    client.once('close', () => upstream.destroy());
    let open = false;
    upstream.once('connect', () => {
      open = true;
      this.#tell(request, 'tunnel', `${target.host}:${String(target.port)}`);
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      for (const socket of [client, upstream]) socket.setTimeout(this.#idle, () => socket.destroy());
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.once('error', (error) => {
      this.#tell(request, 'failed', error.message);
      if (open) client.destroy();
      else client.end('HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n');
    });
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : undefined;
    const target = url?.protocol === 'http:' && url.username === '' ? targetOf(`${url.hostname}:${url.port || '80'}`, this.#config) : NOT_A_SERVER;
    if (typeof target === 'string' || url === undefined) {
      const why = typeof target === 'string' ? target : NOT_A_SERVER;
      this.#tell(request, 'refused', why);
      // what the client still sends would be taken for its next request
      response.writeHead(403, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(why) + 1, Connection: 'close' }).end(`${why}\n`);
      return;
    }
    this.#tell(request, 'request', url.host);
    const headers = { ...endToEnd(request.headers), host: url.host, connection: 'close' };
    const onward = send({ method: request.method, host: target.host, port: target.port, path: `${url.pathname}${url.search}`, headers, lookup: guardedLookup(target.internal), timeout: this.#idle, agent: false });
    onward.once('timeout', () => onward.destroy(new Error(TOO_LONG)));
    onward.once('response', (answer) => {
      answer.once('error', () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      answer.pipe(response);
    });
    onward.once('error', (error) => {
      this.#tell(request, 'failed', error.message);
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { 'Content-Type': 'text/plain', Connection: 'close' }).end('the host could not be reached\n');
    });
    response.once('close', () => onward.destroy());
    request.pipe(onward);
  }

  #tell(request: IncomingMessage, outcome: 'refused' | 'failed' | 'tunnel' | 'request', detail: string): void {
    const asked = (request.url ?? '').split('?')[0]?.slice(0, 300);
    this.#logger.info({ client: request.socket.remoteAddress, method: request.method, asked, outcome, detail }, 'egress');
  }
}

/** Where `host:port` leads, or why it may not be gone there. */
function targetOf(authority: string, { allow }: EgressConfig): Target | string {
  const [, host = '', digits = ''] = /^([A-Za-z0-9.-]{1,253}):(\d{1,5})$/.exec(authority) ?? [];
  const port = Number(digits);
  const entry = host === '' ? undefined : allowed(allow, host, port);
  if (entry === undefined) return 'this host and port are not on the list of what jobs may reach';
  if (isIP(host) !== 0 && !isAllowedAddress(host, entry.internal)) return 'this address may not be reached';
  return { host, port, internal: entry.internal };
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = new Set(String(headers.connection ?? '').toLowerCase().split(',').map((name) => name.trim()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name)));
}
