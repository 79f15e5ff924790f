import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The connection of a request that asks to become something else, and what has already come on it. */
export interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/**
 * Lets requests with an Upgrade go the way of all others: the same routes, callers and errors. Who knows what to do with one takes it
 * (`websocketOf`); to everybody else it is a plain request, after whose answer the connection ends.
 */
export function serveUpgrades(server: Server, handler: (request: IncomingMessage, response: ServerResponse) => unknown): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    // the server, the response and both ends of the tunnel each watch it
    socket.setMaxListeners(30);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    upgrades.set(request, { socket, head });
    handler(request, response);
  });
}

/** The connection of this request if it wants a WebSocket; undefined = it is a plain one. */
export function websocketOf(request: IncomingMessage): Upgrade | undefined {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket' ? upgrades.get(request) : undefined;
}
