import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createHttpServer } from '../../../src/http/server.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What a client sees that asks before it sends its body. */
async function ask(handler: Handler): Promise<{ readonly invited: boolean; readonly status: number | undefined }> {
  const server = createHttpServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await new Promise((resolve, reject) => {
      let invited = false;
      const outgoing = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, method: 'POST', headers: { expect: '100-continue', 'content-length': '2' } }, (response) => {
        response.resume();
        resolve({ invited, status: response.statusCode });
      });
      outgoing.on('continue', () => {
        invited = true;
        outgoing.end('{}');
      });
      outgoing.on('error', reject);
      outgoing.flushHeaders();
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('Expect: 100-continue (RFC 9110 §10.1.1)', () => {
  it('is answered with "continue" as soon as somebody reads the body', async () => {
    const readers: readonly Handler[] = [
      (incoming, response) => void incoming.on('data', () => undefined).on('end', () => response.writeHead(303).end()),
      (incoming, response) => void (async () => {
        for await (const chunk of incoming as AsyncIterable<Buffer>) void chunk;
        response.writeHead(303).end();
      })(),
    ];
    for (const reader of readers) expect(await ask(reader)).to.deep.equal({ invited: true, status: 303 });
  });

  it('is not, by who only looks at the head and refuses, whatever else is listened for', async () => {
    expect(await ask((incoming, response) => {
      incoming.on('close', () => undefined);
      incoming.on('error', () => undefined);
      incoming.on('end', () => undefined);
      response.writeHead(415, { connection: 'close' }).end();
    })).to.deep.equal({ invited: false, status: 415 });
  });
});
