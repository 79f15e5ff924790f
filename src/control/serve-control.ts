import { once } from 'node:events';
import { unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { askGateway } from './ask-gateway.ts';
import type { GatewayStatus } from './gateway-status.ts';
import { socketPath } from './socket-path.ts';

/** What can be told to a gateway that runs. */
export interface Controlled {
  /** `abortAfter`: seconds after which the jobs that still run are ended; absent = never. */
  drain(abortAfter?: number): void;
  resume(): void;
  status(): Promise<GatewayStatus>;
}

/**
 * Listens to the operator at a socket in the data folder that its owner alone may open. Returns what ends it. Throws an Error where
 * another gateway listens there already, or the path is none for a socket.
 */
export async function serveControl(socket: string, controlled: Controlled): Promise<() => Promise<void>> {
  const path = socketPath(socket);
  if ((await askGateway(socket, 'GET /status').catch(() => 'somebody')) !== undefined) throw new Error(`another gateway listens at ${socket}`);
  // nobody listens: what is there was left by a process that was killed
  await unlink(path).catch(() => undefined);
  const server = createServer((incoming, response) => {
    obey(controlled, incoming).then(
      (status) => answer(response, status === undefined ? 404 : 200, status ?? { error: 'there is no such order' }),
      (error: unknown) => answer(response, 500, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  // bound within the call: there is no moment in which others could open it
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
  return async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
}

async function obey(controlled: Controlled, { method, url = '' }: IncomingMessage): Promise<GatewayStatus | undefined> {
  const { pathname, searchParams } = new URL(url, 'http://gateway');
  const order = `${method ?? ''} ${pathname}`;
  if (order === 'POST /drain') {
    const seconds = searchParams.get('abort-after');
    if (seconds !== null && !/^\d{1,9}$/.test(seconds)) throw new Error('abort-after is not a number of seconds');
    controlled.drain(seconds === null ? undefined : Number(seconds));
  } else if (order === 'POST /resume') controlled.resume();
  else if (order !== 'GET /status') return undefined;
  return controlled.status();
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(JSON.stringify(body));
}
