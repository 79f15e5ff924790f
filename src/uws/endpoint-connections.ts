import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { Shares } from './shares.ts';

/** Connections into jobs that are open, of all jobs together. */
export class EndpointConnections {
  readonly #open = new Set<Duplex>();
  readonly #most: number;
  readonly #shares: Shares;
  #opening = 0;
  #closed = false;

  /** `most`: at once; `each`: of one caller. */
  constructor(most: number, each: number) {
    this.#most = most;
    this.#shares = new Shares(each);
  }

  /** The connection that `open` makes, counted until it is closed. Throws Unavailable where there are too many, TooManyRequests where the caller has. */
  async opened(holder: string, open: () => Promise<Duplex>): Promise<Duplex> {
    if (this.#closed || this.#open.size + this.#opening >= this.#most) throw new GatewayError('Unavailable', 'too many connections to jobs at present');
    const release = this.#shares.take(holder);
    if (release === undefined) throw new GatewayError('TooManyRequests', 'you have as many connections to your jobs as one may have at once', { headers: { 'Retry-After': '2' } });
    this.#opening += 1;
    const connection = await open().catch((error: unknown) => {
      release();
      throw error;
    }).finally(() => (this.#opening -= 1));
    // both ends of a tunnel, and who counts it, watch it
    connection.setMaxListeners(30);
    this.#open.add(connection);
    connection.once('close', () => {
      this.#open.delete(connection);
      release();
    });
    // whoever uses it is told by its end
    connection.on('error', () => undefined);
    if (this.#closed) connection.destroy();
    return connection;
  }

  /** Ends all that are open; none is opened afterwards. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.destroy();
  }
}
