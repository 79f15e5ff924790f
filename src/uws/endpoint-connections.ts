import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';

/** Connections into jobs that are open, of all jobs together. */
export class EndpointConnections {
  readonly #open = new Set<Duplex>();
  readonly #most: number;
  #opening = 0;
  #closed = false;

  /** `most`: at once. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The connection that `open` makes, counted until it is closed. Throws Unavailable where there are too many. */
  async opened(open: () => Promise<Duplex>): Promise<Duplex> {
    if (this.#closed || this.#open.size + this.#opening >= this.#most) throw new GatewayError('Unavailable', 'too many connections to jobs at present');
    this.#opening += 1;
    const connection = await open().finally(() => (this.#opening -= 1));
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
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
