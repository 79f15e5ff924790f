import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';

/** How a connection was at the last look. */
interface Seen {
  readonly sent: number;
  readonly at: number;
}

/**
 * Closes connections whose client reads nothing of what waits for it: neither its memory nor its place is kept longer than `limit`
 * (milliseconds). Who waits for an answer that is not there yet is not concerned. Ends with the server.
 */
export function closeStalled(server: Server, limit: number, clock: Clock): void {
  const clients = new Map<Socket, Seen>();
  server.on('connection', (socket: Socket) => {
    clients.set(socket, { sent: 0, at: clock.monotonic() });
    socket.once('close', () => clients.delete(socket));
  });
  const look = (): void => {
    const now = clock.monotonic();
    for (const [socket, seen] of clients) {
      const sent = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || sent !== seen.sent) clients.set(socket, { sent, at: now });
      else if (now - seen.at >= limit) socket.destroy();
    }
  };
  const closed = new AbortController();
  server.once('close', () => closed.abort());
  void lookOn();

  async function lookOn(): Promise<void> {
    while (!closed.signal.aborted) {
      await clock.sleep(Math.max(limit / 4, 10), closed.signal);
      look();
    }
  }
}
