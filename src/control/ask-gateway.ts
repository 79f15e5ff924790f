import { request } from 'node:http';
import { type GatewayStatus, statusSchema } from './gateway-status.ts';
import { socketPath } from './socket-path.ts';

/** What the operator can tell a running gateway. */
export type Order = 'GET /status' | 'POST /resume' | 'POST /drain' | `POST /drain?abort-after=${number}`;

/** How long an answer may take (milliseconds): the process may be busy, but it is on this machine. */
const WITHIN = 30_000;

/** Tells the gateway that listens at this socket; its status afterwards, or undefined where none listens. Throws an Error where it says no. */
export function askGateway(socket: string, order: Order): Promise<GatewayStatus | undefined> {
  const [method = '', path = ''] = order.split(' ');
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketPath(socket), method, path, timeout: WITHIN, agent: false });
    asked.on('timeout', () => asked.destroy(new Error(`the gateway at ${socket} does not answer`)));
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(statusSchema.parse(JSON.parse(text)));
        else reject(new Error(`the gateway says no: ${text}`));
      });
    });
    asked.end();
  });
}
