import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { SystemClock, type Clock } from '../../src/clock.ts';
import { FetchFailed, isAllowedAddress, UntrustedFetch, type HostSettings, type UntrustedRequest } from '../../src/untrusted-fetch.ts';

const OPEN: HostSettings = { insecure: true, internal: true };

/** A clock whose sleeps end at once: whatever waits for the other side is past its deadline. */
const PAST: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => undefined };
/** A clock whose sleeps never end by themselves. */
const NEVER: Clock = { now: () => 0, monotonic: () => 0, sleep: (_, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve())) };

describe('addresses that may be asked', () => {
  /** address, whether as a public host, whether as an internal one */
  const table: readonly (readonly [string, boolean, boolean])[] = [
    ['8.8.8.8', true, true], ['1.1.1.1', true, true], ['2606:4700::1111', true, true],
    ['127.0.0.1', false, true], ['127.255.255.254', false, true], ['10.0.0.1', false, true], ['172.16.0.1', false, true], ['172.31.255.255', false, true],
    ['192.168.0.1', false, true], ['100.64.0.1', false, true], ['::1', false, true], ['fc00::1', false, true], ['fd12:3456::1', false, true],
    ['172.32.0.1', true, true], ['100.128.0.1', true, true],
    ['0.0.0.0', false, false], ['0.1.2.3', false, false], ['169.254.169.254', false, false], ['169.254.0.1', false, false], ['192.0.0.8', false, false],
    ['192.0.2.1', false, false], ['198.18.0.1', false, false], ['198.51.100.1', false, false], ['203.0.113.1', false, false], ['192.88.99.1', false, false],
    ['224.0.0.1', false, false], ['239.255.255.255', false, false], ['240.0.0.1', false, false], ['255.255.255.255', false, false],
    ['::', false, false], ['fe80::1', false, false], ['fec0::1', false, false], ['ff02::1', false, false], ['2001:db8::1', false, false], ['100::1', false, false],
    ['::ffff:127.0.0.1', false, false], ['::ffff:8.8.8.8', false, false], ['::127.0.0.1', false, false], ['::ffff:0:127.0.0.1', false, false],
    ['64:ff9b::7f00:1', false, false], ['64:ff9b::a9fe:a9fe', false, false], ['64:ff9b:1::7f00:1', false, false], ['2002:7f00:1::', false, false], ['2001::1', false, false],
    ['4000::1', false, false], ['e000::1', false, false], ['1::1', false, false], ['5f00::1', false, false],
    ['', false, false], ['localhost', false, false],
  ];
  for (const [address, open, internal] of table) {
    it(`${address || 'nothing'}: ${open ? 'yes' : internal ? 'only of an internal host' : 'never'}`, () => {
      expect([isAllowedAddress(address, false), isAllowedAddress(address, true)]).to.deep.equal([open, internal]);
    });
  }
});

describe('untrusted fetch', () => {
  const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
  const fetcher = new UntrustedFetch(new SystemClock());
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections?.();
      server.close();
    }
  });
  after(() => fetcher.close());

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  /** `127.0.0.1:PORT` of a server that answers so. */
  async function serve(answer: RequestListener): Promise<string> {
    return `127.0.0.1:${await listen(createServer(answer))}`;
  }
  const get = (host: string, more: Partial<UntrustedRequest> = {}, by: UntrustedFetch = fetcher) =>
    by.fetch({ url: `http://${host}/x`, maxBytes: 1000, deadline: 10_000, settings: () => OPEN, ...more });

  async function failure(attempt: Promise<unknown>): Promise<string> {
    try {
      await attempt;
    } catch (error) {
      if (error instanceof FetchFailed) return error.failure;
      throw error;
    }
    return 'no failure';
  }

  describe('gives an answer', () => {
    it('with status, headers, bytes and where it came from', async () => {
      const host = await serve((request, response) => {
        response.writeHead(418, { 'X-One': 'a', 'x-two': ['b', 'c'] }).end(`${request.method} ${request.headers['x-three'] as string}`);
      });
      const response = await get(host, { headers: { 'X-Three': 'd' } });
      expect(response.status).to.equal(418);
      expect(response.headers).to.include({ 'x-one': 'a', 'x-two': 'b, c' });
      expect(response.bytes.toString()).to.equal('GET d');
      expect(response.url).to.equal(`http://${host}/x`);
    });

    it('asks for no compression, and posts what it is given', async () => {
      const host = await serve((request, response) => {
        request.setEncoding('utf8');
        let body = '';
        request.on('data', (chunk: string) => (body += chunk)).on('end', () => response.end(`${request.headers['accept-encoding'] as string} ${body}`));
      });
      expect((await get(host, { method: 'POST', body: 'a=b' })).bytes.toString()).to.equal('identity a=b');
    });

    it('keeps its connections for the next requests', async () => {
      const ports = new Set<number | undefined>();
      const host = await serve((request, response) => {
        ports.add(request.socket.remotePort);
        response.end('x');
      });
      for (let i = 0; i < 20; i += 1) await get(host);
      // One more may be opened while the first is not yet free again.
      expect(ports.size).to.be.at.most(2);
    });

    it('asks again when a kept connection turns out to be closed', async () => {
      let requests = 0;
      const host = await serve((request, response) => {
        requests += 1;
        if (requests === 2) request.socket.destroy();
        else response.end('x');
      });
      await get(host);
      expect((await get(host)).bytes.toString()).to.equal('x');
      expect(requests).to.equal(3);
    });

    it('ignores proxies of the environment', async () => {
      const host = await serve((_, response) => response.end('direct'));
      const proxy = await serve((_, response) => response.end('proxied'));
      const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'];
      const before = names.map((name) => process.env[name]);
      for (const name of names) process.env[name] = `http://${proxy}`;
      const fresh = new UntrustedFetch(new SystemClock());
      try {
        expect((await get(host, {}, fresh)).bytes.toString()).to.equal('direct');
      } finally {
        names.forEach((name, i) => (before[i] === undefined ? delete process.env[name] : (process.env[name] = before[i])));
        await fresh.close();
      }
    });
  });

  describe('refuses to go', () => {
    for (const url of [
      'http://127.0.0.1:PORT/', 'http://localhost:PORT/', 'http://0x7f.1:PORT/', 'http://2130706433:PORT/', 'http://0177.0.0.1:PORT/', 'http://127.1:PORT/',
      'http://[::1]:PORT/', 'http://[::ffff:127.0.0.1]:PORT/', 'http://0.0.0.0:PORT/', 'http://0:PORT/', 'http://[::]:PORT/', 'http://127.0.0.1.:PORT/',
    ]) {
      it(`to ${url} where the host is not internal`, async () => {
        let asked = false;
        const host = await serve((_, response) => void (asked = true, response.end()));
        const target = url.replace('PORT', host.split(':')[1] ?? '');
        expect(await failure(get('', { url: target, settings: () => ({ insecure: true }) }))).to.equal('address');
        expect(asked).to.equal(false);
      });
    }

    it('and what the operator has to say of a private address, where saying it helps', async () => {
      const said = async (url: string): Promise<string> => get('', { url, settings: () => ({ insecure: true }) }).then(() => 'asked', String);
      for (const url of ['http://localhost:1/', 'http://127.0.0.1:1/', 'http://10.0.0.1/']) expect(await said(url)).to.contain('does not say internal: true');
      for (const url of ['http://169.254.169.254/', 'http://224.0.0.1/']) expect(await said(url)).to.contain('may be asked').and.not.to.contain('internal');
    });

    for (const url of ['http://169.254.169.254/', 'http://[fe80::1]/', 'http://0.0.0.0/', 'http://224.0.0.1/', 'http://[64:ff9b::7f00:1]/', 'http://[::ffff:a9fe:a9fe]/']) {
      it(`to ${url}, internal or not`, async () => {
        expect(await failure(get('', { url }))).to.equal('address');
      });
    }

    for (const url of ['http://example.org/', 'ftp://example.org/', 'file:///etc/passwd', 'data:,x', 'https://user:password@example.org/', 'nonsense', '']) {
      it(`to ${JSON.stringify(url)}`, async () => {
        expect(await failure(get('', { url, settings: () => undefined }))).to.equal('url');
      });
    }

    it('over http to a host that is not marked insecure', async () => {
      const host = await serve((_, response) => response.end());
      expect(await failure(get(host, { settings: () => ({ internal: true }) }))).to.equal('url');
    });
  });

  describe('follows redirects', () => {
    const to = (location: string, status = 307) => (_: IncomingMessage, response: ServerResponse) => response.writeHead(status, { location }).end('elsewhere');

    it('within an origin, with credentials', async () => {
      const host = await serve((request, response) => {
        if (request.url === '/x') response.writeHead(302, { location: '/y' }).end();
        else response.end(`${request.url} ${request.headers.authorization ?? 'none'}`);
      });
      const response = await get(host, { headers: { Authorization: 'secret' } });
      expect(response.bytes.toString()).to.equal('/y secret');
      expect(response.url).to.equal(`http://${host}/y`);
    });

    it('to another origin without credentials, and not back with them', async () => {
      const seen: string[] = [];
      let home = '';
      const other = await serve((request, response) => {
        seen.push(request.headers.authorization ?? 'none');
        response.writeHead(307, { location: `http://${home}/back` }).end();
      });
      home = await serve((request, response) => {
        seen.push(request.headers.authorization ?? 'none');
        if (request.url === '/back') response.end('x');
        else response.writeHead(307, { location: `http://${other}/there` }).end();
      });
      await get(home, { headers: { authorization: 'secret' } });
      expect(seen).to.deep.equal(['secret', 'none', 'none']);
    });

    it('three times and not more', async () => {
      const host = await serve((request, response) => {
        const hop = Number(request.url?.slice(2) || '0');
        if (hop === 3) response.end('arrived');
        else response.writeHead(307, { location: `/x${hop + 1}` }).end();
      });
      expect((await get(host)).bytes.toString()).to.equal('arrived');
      const endless = await serve((_, response) => void response.writeHead(307, { location: '/x' }).end());
      expect(await failure(get(endless))).to.equal('redirects');
    });

    it('but not of a POST', async () => {
      const host = await serve(to('http://169.254.169.254/'));
      expect((await get(host, { method: 'POST' })).status).to.equal(307);
    });

    it('and gives a redirect that leads nowhere as it is', async () => {
      const host = await serve((_, response) => void response.writeHead(307).end());
      expect((await get(host)).status).to.equal(307);
    });

    for (const [location, expected] of [
      ['http://169.254.169.254/latest/meta-data/', 'address'],
      ['//169.254.169.254/', 'address'],
      ['http://[::ffff:169.254.169.254]/', 'address'],
      ['http://0xa9fea9fe/', 'address'],
      ['file:///etc/passwd', 'url'],
      ['ftp://127.0.0.1/', 'url'],
      ['http://a:b@127.0.0.1/', 'url'],
      ['http://[', 'url'],
    ] as const) {
      it(`not to ${location}`, async () => {
        const host = await serve(to(location));
        expect(await failure(get(host))).to.equal(expected);
      });
    }

    it('not to an address that is internal to the redirecting host only', async () => {
      const target = await serve((_, response) => response.end('secret'));
      const host = await serve(to(`http://${target}/`));
      const settings = (name: string): HostSettings => (name === host ? OPEN : { insecure: true });
      expect(await failure(get(host, { settings }))).to.equal('address');
    });

    it('not from https to http, unless the other host is marked insecure', async () => {
      const target = await serve((_, response) => response.end('plain'));
      const host = await serve(to(`http://${target}/`));
      expect(await failure(get(host, { settings: (name) => (name === host ? OPEN : { internal: true }) }))).to.equal('url');
    });
  });

  describe('takes no answer', () => {
    it('that is larger than allowed, said so or not', async () => {
      const said = await serve((_, response) => response.writeHead(200, { 'content-length': 2000 }).end('x'.repeat(2000)));
      expect(await failure(get(said))).to.equal('too-large');
      const endless = await serve((_, response) => {
        const more = (): void => {
          while (response.write('x'.repeat(1000)));
          response.once('drain', more);
        };
        more();
      });
      expect(await failure(get(endless))).to.equal('too-large');
    });

    it('that is one byte too long; one of the exact length is taken', async () => {
      const host = await serve((request, response) => response.end('x'.repeat(Number(request.headers['x-length']))));
      expect((await get(host, { headers: { 'x-length': '1000' } })).bytes.length).to.equal(1000);
      expect(await failure(get(host, { headers: { 'x-length': '1001' } }))).to.equal('too-large');
    });

    it('of an error more than 64 KiB of', async () => {
      const host = await serve((_, response) => response.writeHead(404).end('x'.repeat(200_000)));
      const response = await get(host, { maxBytes: 2 ** 20 });
      expect([response.status, response.bytes.length]).to.deep.equal([404, 65_536]);
    });

    for (const encoding of ['gzip', 'br', 'deflate', 'x']) {
      it(`encoded as ${encoding}`, async () => {
        const host = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(gzipSync('x'.repeat(100_000))));
        expect(await failure(get(host))).to.equal('encoding');
      });
    }

    it('that breaks off', async () => {
      const host = await serve((_, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('x', () => response.destroy());
      });
      expect(await failure(get(host))).to.equal('interrupted');
      const chunked = await serve((_, response) => void response.write('x', () => response.destroy()));
      expect(await failure(get(chunked))).to.equal('interrupted');
    });

    it('that is not HTTP', async () => {
      const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      expect(await failure(get(`127.0.0.1:${(server.address() as AddressInfo).port}`))).to.equal('interrupted');
    });

    it('with headers without end', async () => {
      const host = await serve((_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(30_000) }).end());
      expect(await failure(get(host))).to.equal('too-large');
    });

    it('from where nobody listens', async () => {
      const host = await serve(() => undefined);
      servers.splice(0).forEach((server) => server.close());
      expect(await failure(get(host))).to.equal('unreachable');
    });
  });

  describe('ends', () => {
    const late = new UntrustedFetch(PAST);
    const patient = new UntrustedFetch(NEVER);
    after(() => Promise.all([late.close(), patient.close()]));

    it('at the deadline, before the first byte', async () => {
      const host = await serve(() => undefined);
      expect(await failure(get(host, {}, late))).to.equal('deadline');
    });

    it('at the deadline, while bytes trickle', async () => {
      let expire: () => void = () => undefined;
      const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: () => new Promise((resolve) => (expire = resolve)) };
      const trickling = new UntrustedFetch(clock);
      const host = await serve((_, response) => {
        response.write('x');
        expire();
      });
      expect(await failure(get(host, {}, trickling))).to.equal('deadline');
      await trickling.close();
    });

    it('when its caller has enough, with the caller\'s reason', async () => {
      const reason = new Error('enough');
      const controller = new AbortController();
      const host = await serve(() => controller.abort(reason));
      const outcome = await get(host, { signal: controller.signal }, patient).catch((error: unknown) => error);
      expect(outcome).to.equal(reason);
    });

    it('before it begins, when its caller has had enough', async () => {
      let asked = false;
      const host = await serve((_, response) => void (asked = true, response.end()));
      const reason = new Error('enough');
      const outcome = await get(host, { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error);
      expect([outcome, asked]).to.deep.equal([reason, false]);
    });
  });

  describe('over TLS', () => {
    let directory = '';
    before(() => {
      directory = mkdtempSync(join(tmpdir(), 'pratique-tls-'));
      const path = (name: string) => join(directory, name);
      const certify = (name: string) =>
        execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)], { stdio: 'ignore' });
      certify('ours');
      certify('theirs');
    });
    after(() => rmSync(directory, { recursive: true }));
    const pem = (name: string) => readFileSync(join(directory, name), 'utf8');

    async function secure(): Promise<number> {
      return listen(createTlsServer({ key: pem('ours.key'), cert: pem('ours.pem') }, (_, response) => void response.end('secure')));
    }

    it('trusts the certificate that the host is configured with', async () => {
      const port = await secure();
      const response = await get('', { url: `https://localhost:${port}/`, settings: () => ({ internal: true, ca: pem('ours.pem') }) });
      expect(response.bytes.toString()).to.equal('secure');
    });

    it('trusts no other, whatever the environment says', async () => {
      const port = await secure();
      const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
      try {
        expect(await failure(get('', { url: `https://localhost:${port}/`, settings: () => ({ internal: true }) }))).to.equal('unreachable');
        expect(await failure(get('', { url: `https://localhost:${port}/`, settings: () => ({ internal: true, ca: pem('theirs.pem') }) }))).to.equal('unreachable');
      } finally {
        if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
      }
    });

    it('trusts it for its own name only', async () => {
      const port = await secure();
      expect(await failure(get('', { url: `https://127.0.0.1:${port}/`, settings: () => ({ internal: true, ca: pem('ours.pem') }) }))).to.equal('unreachable');
    });
  });
});
