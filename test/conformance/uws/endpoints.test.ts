import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { idOf, LIST, uwsGateway } from './uws-gateway.ts';

describe('what a job serves ({job}/endpoints/{service}/{port}/)', () => {
  const gateway = uwsGateway();
  const made: string[] = [];
  let program: Server;
  let asked: { url: string; method: string; headers: IncomingHttpHeaders; body: string };

  async function serving(): Promise<string> {
    const job = await gateway.executing({ PORT: '8080' });
    made.push(job);
    return job;
  }

  beforeEach(async () => {
    program = createServer((ask, answer) => {
      const chunks: Buffer[] = [];
      ask.on('data', (chunk: Buffer) => chunks.push(chunk));
      ask.on('end', () => {
        asked = { url: ask.url ?? '', method: ask.method ?? '', headers: ask.headers, body: Buffer.concat(chunks).toString() };
        answer.writeHead(ask.url === '/moved' ? 302 : 200, {
          'Content-Type': 'text/html', 'Set-Cookie': 'a=b', 'Clear-Site-Data': '"*"', 'Service-Worker-Allowed': '/', 'Access-Control-Allow-Origin': '*', 'Content-Security-Policy': "default-src *", Location: '/tap',
        });
        answer.end('<p>hello</p>');
      });
    });
    program.on('upgrade', (ask, socket: Socket) => {
      const accept = createHash('sha1').update(`${ask.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSet-Cookie: a=b\r\n\r\n`);
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    gateway.engine.listening.set(8080, (program.address() as AddressInfo).port);
  });

  afterEach(async () => {
    // the offer is for four at once
    for (const job of made.splice(0)) await gateway.client.send('DELETE', job);
    program.closeAllConnections();
    await new Promise((resolve) => program.close(resolve));
  });

  it('is told by the result `endpoints`, while the job executes', async () => {
    const job = await serving();
    const { text } = await gateway.client.get(`${job}/results/endpoints`);
    expect((await gateway.client.get(`${job}/results/ports`)).text, 'as the prototype called it').to.equal(text);
    expect(JSON.parse(text)).to.deep.equal({ endpoints: [{ service: 'main', port: 8080, ready: true, url: `${LIST}/${idOf(job)}/endpoints/main/8080/` }] });
  });

  it('gets method, path, query and body, and no credential', async () => {
    const job = await serving();
    const answer = await gateway.client.send('POST', `${job}/endpoints/main/8080/a/b%2Fc?q=1`, {
      body: 'x=1', headers: { cookie: 'secret=1', authorization: 'Basic Og==', 'x-forwarded-for': '10.0.0.1', 'content-type': 'text/plain', connection: 'keep-alive, x-mine', 'x-mine': '1' },
    });
    expect(answer.status).to.equal(200);
    expect(asked).to.include({ url: '/a/b%2Fc?q=1', method: 'POST', body: 'x=1' });
    for (const name of ['cookie', 'authorization', 'x-forwarded-for', 'x-mine']) expect(asked.headers).not.to.have.property(name);
    expect(asked.headers).to.include({ host: '127.0.0.1:8080', 'x-forwarded-host': 'vo.example.org', 'x-forwarded-prefix': `/pratique${job}/endpoints/main/8080` });
  });

  it('answers as a page of nobody: no cookies, no rights over our origin, redirects within itself', async () => {
    const job = await serving();
    const answer = await gateway.client.get(`${job}/endpoints/main/8080/moved`);
    expect([answer.status, answer.text]).to.deep.equal([302, '<p>hello</p>']);
    for (const name of ['set-cookie', 'clear-site-data', 'service-worker-allowed', 'access-control-allow-origin']) expect(answer.headers).not.to.have.property(name);
    expect(answer.headers).to.include({ 'content-security-policy': 'sandbox allow-scripts allow-forms allow-downloads', 'x-content-type-options': 'nosniff', location: `/pratique${job}/endpoints/main/8080/tap` });
  });

  it('a chunked body of a GET cannot smuggle a second request', async () => {
    const job = await serving();
    await gateway.client.send('GET', `${job}/endpoints/main/8080/`, { body: 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n', chunked: true });
    expect(asked).to.include({ url: '/', body: 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n' });
  });

  it('is nothing on other ports and services, and gone when the job is over; 503 where nobody listens', async () => {
    const job = await serving();
    const status = async (path: string): Promise<number> => (await gateway.client.get(`${job}/endpoints/${path}`)).status;
    expect(await Promise.all(['main/22/', 'other/8080/', 'main/08080/', 'main/8080'].map(status))).to.deep.equal([404, 404, 404, 308]);
    gateway.engine.listening.delete(8080);
    expect(await status('main/8080/')).to.equal(503);
    gateway.engine.finish(idOf(job));
    await gateway.reaches(job, 'COMPLETED');
    expect(await status('main/8080/')).to.equal(404);
    expect((await gateway.client.get(`${job}/results/endpoints`)).status).to.equal(404);
  });

  it('takes WebSockets, and not from pages of other sites', async () => {
    const job = await serving();
    const { port } = gateway.server.address() as AddressInfo;
    const ask = (headers: Record<string, string>) =>
      request({ host: '127.0.0.1', port, path: `${job}/endpoints/main/8080/ws`, headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13', ...headers } }).end();
    const opened = ask({});
    const [answer, socket] = (await once(opened, 'upgrade')) as [{ statusCode: number; headers: IncomingHttpHeaders }, Socket];
    expect(answer.statusCode).to.equal(101);
    expect(answer.headers).to.include({ 'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' });
    expect(answer.headers).not.to.have.property('set-cookie');
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).to.equal('ping');
    socket.destroy();
    const [refused] = (await once(ask({ origin: 'https://evil.example' }), 'response')) as [{ statusCode: number; resume(): void }];
    refused.resume();
    expect(refused.statusCode).to.equal(403);
  });
});
