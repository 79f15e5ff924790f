import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { listenSchema } from '../../../src/http/listen-config.ts';
import { listen } from '../../../src/http/listening.ts';
import { createLogger } from '../../../src/logger.ts';

describe('the place to listen', () => {
  const logger = createLogger('silent');
  const clock = new SystemClock();
  const failure = async (config: object): Promise<unknown> =>
    listen(() => undefined, listenSchema.parse(config), clock, logger).then(
      (listening) => listening.close(),
      (error: unknown) => (error instanceof Error ? [error.message, (error.cause as NodeJS.ErrnoException).code] : error),
    );

  it('is named, with its keys, where it cannot be had', async () => {
    const first = await listen(() => undefined, listenSchema.parse({ port: 0 }), clock, logger);
    const { port } = new URL(first.address);
    try {
      expect(await failure({ port: Number(port) })).to.deep.equal([`the gateway cannot listen on port ${port} of 127.0.0.1 (listen.port, listen.host)`, 'EADDRINUSE']);
    } finally {
      await first.close();
    }
    expect(await failure({ port: 0, tls: { certificate: '/nonexistent/c.pem', key: '/nonexistent/k.pem' } })).to.deep.equal(['the certificate /nonexistent/c.pem with the key /nonexistent/k.pem (listen.tls) cannot be used', 'ENOENT']);
  });
});
