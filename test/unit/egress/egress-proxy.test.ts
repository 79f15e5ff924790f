import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { allowed, egressSchema } from '../../../src/egress/egress-config.ts';
import { EgressProxy } from '../../../src/egress/egress-proxy.ts';
import { createLogger } from '../../../src/logger.ts';

describe('what egress lets through', () => {
  const { allow } = egressSchema.parse({ allow: [{ host: 'archive.test' }, { host: '*.mirror.test', ports: [80, 443] }, { host: '192.0.2.7', ports: [8080] }] });
  const table: readonly (readonly [string, number, boolean])[] = [
    ['archive.test', 443, true], ['ARCHIVE.test', 443, true], ['archive.test.', 443, true], ['archive.test', 80, false], ['evil-archive.test', 443, false],
    ['archive.test.evil.test', 443, false], ['a.archive.test', 443, false], ['a.mirror.test', 80, true], ['a.b.mirror.test', 443, true], ['mirror.test', 443, false],
    ['evilmirror.test', 443, false], ['.mirror.test', 443, false], ['192.0.2.7', 8080, true], ['192.0.2.8', 8080, false],
  ];
  for (const [host, port, expected] of table) it(`${host}:${String(port)}: ${expected ? 'yes' : 'no'}`, () => expect(allowed(allow, host, port) !== undefined).to.equal(expected));

  for (const host of ['*', '*.*', 'a b', 'https://a', 'A.test', '[::1]', '']) it(`a list cannot have ${JSON.stringify(host)}`, () => expect(egressSchema.safeParse({ allow: [{ host }] }).success).to.equal(false));
});

describe('egress', () => {
  let origin: Server;
  let port: number;
  let other: number;
  let calls = 0;
  let proxy: EgressProxy;
  let at: number;
  const forbidden = createTcpServer((socket) => {
    calls += 1;
    socket.destroy();
  });

  before(async () => {
    origin = createServer((incoming, response) => {
      if (incoming.url === '/headers') response.end(JSON.stringify(incoming.headers));
      else if (incoming.url === '/large') response.end(Buffer.alloc(5 * 2 ** 20, 'x'));
      else incoming.pipe(response);
    });
    origin.listen(0, '127.0.0.1');
    forbidden.listen(0, '127.0.0.1');
    await Promise.all([once(origin, 'listening'), once(forbidden, 'listening')]);
    port = (origin.address() as AddressInfo).port;
    other = (forbidden.address() as AddressInfo).port;
  });
  after(() => {
    origin.close();
    forbidden.close();
  });

  /** A proxy that lets through what `allow` says, in place of the one before. */
  async function start(allow: readonly object[], more: object = {}): Promise<void> {
    proxy = new EgressProxy(egressSchema.parse({ listen: { host: '127.0.0.1', port: 0 }, allow, ...more }), createLogger('silent'));
    at = await proxy.listen();
  }
  afterEach(() => proxy.close());

  /** Says these words to the proxy; everything that it answers until it closes. */
  async function raw(words: string): Promise<string> {
    const socket = connect(at, '127.0.0.1');
    socket.end(words);
    return text(socket);
  }

  async function ask(url: string, body = '', headers: Record<string, string> = {}): Promise<readonly [number, string]> {
    const sent = request({ host: '127.0.0.1', port: at, path: url, method: body === '' ? 'GET' : 'POST', headers, agent: false });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return [response.statusCode ?? 0, await text(response)];
  }

  it('forwards plain HTTP, without what is for the proxy alone', async () => {
    await start([{ host: '127.0.0.1', ports: [port], internal: true }]);
    expect(await ask(`http://127.0.0.1:${String(port)}/echo`, 'hello')).to.deep.equal([200, 'hello']);
    const [, headers] = await ask(`http://127.0.0.1:${String(port)}/headers`, '', { 'Proxy-Authorization': 'Basic eA==', Connection: 'X-Secret', 'X-Secret': '1', 'X-Kept': '2' });
    expect(JSON.parse(headers)).to.include({ 'x-kept': '2', host: `127.0.0.1:${String(port)}` }).and.not.to.have.any.keys('proxy-authorization', 'x-secret');
  });

  it('tunnels, whatever is said inside, to the last byte', async () => {
    await start([{ host: 'localhost', ports: [port], internal: true }]);
    const said = await raw(`CONNECT localhost:${String(port)} HTTP/1.1\r\nHost: x\r\n\r\nGET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(said).to.match(/^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 OK/);
    expect(said.length).to.be.greaterThan(5 * 2 ** 20);
  });

  it('refuses what is not on the list, and calls nobody', async () => {
    await start([{ host: '127.0.0.1', ports: [port], internal: true }]);
    calls = 0;
    const words = String(other);
    for (const url of [`http://127.0.0.1:${words}/`, `http://localhost:${String(port)}/`, `https://127.0.0.1:${String(port)}/`, `http://user@127.0.0.1:${String(port)}/`, '/', 'ftp://127.0.0.1/']) {
      expect((await ask(url))[0], url).to.equal(403);
    }
    for (const authority of [`127.0.0.1:${words}`, `localhost:${words}`, '127.0.0.1', `127.0.0.1:${String(port)}x`, `[::1]:${words}`, `127.0.0.1@evil:${String(port)}`]) {
      expect(await raw(`CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`), authority).to.match(/^HTTP\/1\.1 (403|400)/);
    }
    expect(calls).to.equal(0);
  });

  it('goes to no private address for a host that is not marked internal, whatever its name resolves to', async () => {
    await start([{ host: 'localhost', ports: [port] }, { host: '127.0.0.1', ports: [port] }, { host: '169.254.169.254', ports: [80], internal: true }]);
    expect((await ask(`http://localhost:${String(port)}/headers`))[0]).to.equal(502);
    expect((await ask(`http://127.0.0.1:${String(port)}/headers`))[0]).to.equal(403);
    expect((await ask('http://169.254.169.254/'))[0]).to.equal(403);
    expect(await raw(`CONNECT localhost:${String(port)} HTTP/1.1\r\nHost: x\r\n\r\n`)).to.match(/^HTTP\/1\.1 502/);
  });

  it('closes what is idle, and more connections than there may be', async () => {
    await start([{ host: '127.0.0.1', ports: [port], internal: true }], { idle: 1, connections: 1 });
    const held = connect(at, '127.0.0.1');
    await once(held, 'connect');
    held.write(`CONNECT 127.0.0.1:${String(port)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(held, 'data');
    expect(await raw('GET / HTTP/1.1\r\n\r\n').catch(() => '')).to.equal('');
    held.resume();
    await once(held, 'close');
  });
});
