import { type IncomingMessage, type Server, type ServerOptions, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { SystemClock } from '../clock.ts';
import type { Certificate } from './certificate.ts';
import { serveUpgrades } from './upgrade.ts';
import { closeStalled } from './stalled-clients.ts';

/** What a slow or silent client may cost. */
export interface ServerLimits {
  /** Connections at once; more are closed as they come. */
  readonly connections: number;
  /** Seconds until a request's head must have arrived. */
  readonly headersTimeout: number;
  /** Seconds until a request, body included, must have arrived. */
  readonly requestTimeout: number;
  /** Seconds that an idle connection is kept; longer than a proxy in front keeps its own, so that none is closed under a request. */
  readonly keepAliveTimeout: number;
  /** Seconds in which a client must read something of what waits for it. */
  readonly stallTimeout: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytes: number;
}

export const SERVER_LIMITS: ServerLimits = { connections: 25_000, headersTimeout: 30, requestTimeout: 120, keepAliveTimeout: 75, stallTimeout: 60, headerBytes: 16 * 1024 };

/** Between two looks for requests that are late (milliseconds), at most. */
const LATE_LOOK = 5_000;

/**
 * An HTTP server, over TLS where there is a certificate, not yet listening. To `Expect: 100-continue` it says "continue" only when somebody
 * begins to read the body: who is refused for a wrong type or job gets the final answer and sends nothing.
 */
export function createHttpServer(handler: (request: IncomingMessage, response: ServerResponse) => unknown, limits: ServerLimits = SERVER_LIMITS, certificate?: Certificate): Server {
  const options: ServerOptions = {
    headersTimeout: limits.headersTimeout * 1000,
    requestTimeout: limits.requestTimeout * 1000,
    keepAliveTimeout: limits.keepAliveTimeout * 1000,
    connectionsCheckingInterval: Math.min(LATE_LOOK, limits.headersTimeout * 250),
    maxHeaderSize: limits.headerBytes,
  };
  const server = certificate === undefined ? createServer(options, handler) : createTlsServer({ ...options, ...certificate, handshakeTimeout: limits.headersTimeout * 1000 }, handler);
  server.maxConnections = limits.connections;
  closeStalled(server, limits.stallTimeout * 1000, new SystemClock());
  serveUpgrades(server, handler);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const invite = (event: string): void => {
      if (event !== 'data' && event !== 'readable') return;
      request.off('newListener', invite);
      if (!response.headersSent) response.writeContinue();
    };
    request.on('newListener', invite);
    handler(request, response);
  });
  return server;
}
