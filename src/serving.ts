import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';

/** Listens; resolves with where: `http://127.0.0.1:8080`. */
export async function listen(server: Server, { host, port }: Config['listen']): Promise<string> {
  server.listen(port, host);
  await once(server, 'listening');
  const { address, port: bound, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${String(bound)}`;
}

/** Between two looks for connections that have become idle (milliseconds): Node keeps one whose answer ends now for as long as any. */
const IDLE_LOOK = 50;

/** Takes no more connections; resolves when everything under way is answered. */
export async function close(server: Server, clock: Clock): Promise<void> {
  const over = new AbortController();
  const closed = once(server, 'close').then(() => over.abort());
  server.close();
  while (!over.signal.aborted) {
    server.closeIdleConnections();
    await clock.sleep(IDLE_LOOK, over.signal);
  }
  await closed;
}
