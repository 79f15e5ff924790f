import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { closeServer } from '../../../src/http/listening.ts';
import { createHttpServer, SERVER_LIMITS, type ServerLimits } from '../../../src/http/server.ts';

const MEBIBYTE = 2 ** 20;

/** Clients that are slow on purpose, each a raw socket; what they meet is a limit, and not the patience of the test. */
describe('slow clients', () => {
  let server: Server;
  const sockets: Socket[] = [];

  async function start(limits: Partial<ServerLimits>, handler: (request: IncomingMessage, response: ServerResponse) => unknown = (request, response) => void text(request).then(() => response.end('done'), () => undefined)): Promise<void> {
    server = createHttpServer(handler, { ...SERVER_LIMITS, ...limits }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  }

  async function client(words: string): Promise<Socket> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(words);
    return socket;
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    if (server.listening) await closeServer(server, new SystemClock(), 0);
  });

  it('a head that does not end is answered 408 and closed, however alive it seems', async () => {
    await start({ headersTimeout: 0.3, requestTimeout: 0.6 });
    const socket = await client('GET / HTTP/1.1\r\nHost: x\r\n');
    const dripping = new Promise<void>((resolve) => {
      const drip = (): void => void (socket.destroyed || socket.readableEnded ? resolve() : (socket.write('X-A: b\r\n'), setImmediate(() => setTimeout(drip, 20))));
      drip();
    });
    expect(await text(socket)).to.match(/^HTTP\/1\.1 408 /);
    socket.destroy();
    await dripping;
  });

  it('a body that does not end is answered 408 and closed', async () => {
    await start({ headersTimeout: 0.3, requestTimeout: 0.6 });
    expect(await text(await client('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab'))).to.match(/^(HTTP\/1\.1 408 |$)/);
  });

  it('a head that is too large is answered 431', async () => {
    await start({ headerBytes: 1024 });
    expect(await text(await client(`GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(2000)}\r\n\r\n`))).to.match(/^HTTP\/1\.1 431 /);
  });

  it('more connections than there may be are closed, and the others go on', async () => {
    await start({ connections: 2 });
    const kept = [await client(''), await client('')];
    expect(await text(await client('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).catch(() => '')).to.equal('');
    kept[0]?.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await text(kept[0] as Socket)).to.match(/^HTTP\/1\.1 200 [^]*done$/);
  });

  describe('one that never reads a large answer', () => {
    let made = 0;
    const large = (_: IncomingMessage, response: ServerResponse): void => {
      made = 0;
      const chunks = function* (): Generator<Buffer> {
        for (let i = 0; i < 500; i += 1, made += MEBIBYTE) yield Buffer.alloc(MEBIBYTE);
      };
      Readable.from(chunks()).on('error', () => undefined).pipe(response);
    };

    it('holds no memory: little of the answer is made; and is closed after a while', async () => {
      await start({ stallTimeout: 0.5 }, large);
      const connected = once(server, 'connection') as Promise<[Socket]>;
      const socket = await client('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      socket.pause();
      const [connection] = await connected;
      await once(connection, 'close');
      expect(made).to.be.greaterThan(0);
      expect(made).to.be.below(50 * MEBIBYTE);
    });

    it('holds up no shutdown', async () => {
      await start({ stallTimeout: 3600 }, large);
      const asked = once(server, 'request');
      const socket = await client('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      socket.pause();
      await asked;
      await closeServer(server, new SystemClock(), 100);
      expect(server.listening).to.equal(false);
    });

    it('is told from one that reads slowly, and from one that waits for an answer', async () => {
      await start({ stallTimeout: 1.5 }, (request, response) => {
        if (request.url === '/wait') setTimeout(() => response.end('late'), 3000);
        else large(request, response);
      });
      const waiting = await client('GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const slow = await client('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      let read = 0;
      const over = text(waiting);
      const ended = over.then(() => 'waited' as const);
      const closed = once(slow, 'close').then(() => 'closed' as const);
      slow.on('data', (chunk: Buffer) => {
        read += chunk.length;
        slow.pause();
        setTimeout(() => slow.resume(), 5);
      });
      expect(await Promise.race([ended, closed])).to.equal('waited');
      expect(await over).to.match(/late$/);
      expect(read).to.be.greaterThan(0);
    });
  });
});
