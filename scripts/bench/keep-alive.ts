import { Agent, request } from 'node:http';

/** Connections for many small requests, kept open: what is measured is the gateway, not the making of connections. */
export class KeepAlive {
  readonly #agent: Agent;

  constructor(connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** The answer's head and length; its body is thrown away. */
  send(method: 'GET' | 'POST' | 'DELETE', url: string, form?: string): Promise<{ readonly status: number; readonly location: string; readonly bytes: number }> {
    const headers = form === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': form.length };
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, agent: this.#agent, headers }, (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => (bytes += chunk.length));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', bytes }));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(form);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Does `work` for each of `items`, `atOnce` at a time. */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
