import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { followCertificate, readCertificate } from './certificate.ts';
import type { ListenConfig } from './listen-config.ts';
import { createHttpServer, SERVER_LIMITS } from './server.ts';

/** A server that listens. */
export interface Listening {
  /** `http://127.0.0.1:8080`. */
  readonly address: string;
  /** Takes no more connections; resolves when what is under way is answered, or its client has not read it for some seconds. */
  close(): Promise<void>;
}

/** Between two looks for connections that have become idle (milliseconds): Node keeps one whose answer ends now for as long as any. */
const IDLE_LOOK = 50;
/** Answers that nobody has read by then (milliseconds) hold nothing up any more. */
const CLOSED_WITHIN = 10_000;

/** Throws where the certificate cannot be used, or the place to listen not be had. */
export async function listen(handler: (request: IncomingMessage, response: ServerResponse) => unknown, config: ListenConfig, clock: Clock, logger: Logger): Promise<Listening> {
  const { host, port, tls } = config;
  const certificate = tls === undefined ? undefined : await readCertificate(tls);
  const server = createHttpServer(handler, { ...SERVER_LIMITS, ...config }, certificate);
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    throw new Error(`the gateway cannot listen on port ${String(port)} of ${host} (listen.port, listen.host)`, { cause: error });
  });
  const unfollow = tls === undefined ? undefined : followCertificate(server as TlsServer, tls, logger);
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    address: `${tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${String(bound)}`,
    close: async () => {
      unfollow?.();
      await closeServer(server, clock);
    },
  };
}

/** Resolves when no connection is left. `within`: milliseconds after which those are closed that are still there. */
export async function closeServer(server: Server, clock: Clock, within = CLOSED_WITHIN): Promise<void> {
  const over = new AbortController();
  const closed = once(server, 'close').then(() => over.abort());
  server.close();
  for (const began = clock.monotonic(); !over.signal.aborted; ) {
    if (clock.monotonic() - began < within) server.closeIdleConnections();
    else server.closeAllConnections();
    await clock.sleep(IDLE_LOOK, over.signal);
  }
  await closed;
}
