import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';

/** What a slow or silent client may cost. */
export interface ServerLimits {
  /** Seconds until a request, body included, must have arrived. */
  readonly requestTimeout: number;
  /** Seconds that an idle connection is kept; longer than a proxy in front keeps its own, so that none is closed under a request. */
  readonly keepAliveTimeout: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytes: number;
}

export const SERVER_LIMITS: ServerLimits = { requestTimeout: 120, keepAliveTimeout: 75, headerBytes: 16 * 1024 };

/**
 * An HTTP server, not yet listening. To `Expect: 100-continue` it says "continue" only when somebody begins to read the body:
 * who is refused for a wrong type or job gets the final answer and sends nothing.
 */
export function createHttpServer(handler: (request: IncomingMessage, response: ServerResponse) => unknown, limits: ServerLimits = SERVER_LIMITS): Server {
  const server = createServer({ requestTimeout: limits.requestTimeout * 1000, keepAliveTimeout: limits.keepAliveTimeout * 1000, maxHeaderSize: limits.headerBytes }, handler);
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
