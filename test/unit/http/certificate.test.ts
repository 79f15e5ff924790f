import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { SystemClock } from '../../../src/clock.ts';
import { createApp } from '../../../src/http/app.ts';
import { followCertificate, readCertificate } from '../../../src/http/certificate.ts';
import { listenSchema } from '../../../src/http/listen-config.ts';
import { listen } from '../../../src/http/listening.ts';
import { createHttpServer, SERVER_LIMITS } from '../../../src/http/server.ts';
import { createLogger } from '../../../src/logger.ts';

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-tls-'));
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const logger = createLogger('silent');

  before(() => {
    for (const name of ['one', 'two']) {
      execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)], { stdio: 'ignore' });
    }
    use('one', 'one');
  });
  after(() => rmSync(folder, { recursive: true }));

  function use(certificate: string, key: string): void {
    copyFileSync(join(folder, `${certificate}.pem`), files.certificate);
    copyFileSync(join(folder, `${key}.key`), files.key);
  }

  async function shown(port: number): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  }

  it('is spoken with the files of the configuration, and said to browsers', async () => {
    const app = createApp({ logger, clock: new SystemClock(), routers: [], origin: 'https://localhost', hsts: 60 });
    const listening = await listen(app.callback(), listenSchema.parse({ port: 0, tls: files }), new SystemClock(), logger);
    try {
      expect(listening.address).to.match(/^https:\/\/127\.0\.0\.1:\d+$/);
      const [response] = (await once(get(listening.address, { rejectUnauthorized: false, agent: false }), 'response')) as [IncomingMessage];
      expect(response.statusCode).to.equal(404);
      expect(response.headers['strict-transport-security']).to.equal('max-age=60');
      await text(response);
    } finally {
      await listening.close();
    }
  });

  it('is not begun with files that do not belong together', async () => {
    const wrong = { certificate: join(folder, 'one.pem'), key: join(folder, 'two.key') };
    expect(await readCertificate(wrong).then(() => 'read', (error: unknown) => String((error as Error).cause))).to.match(/key values mismatch/i);
  });

  it('shows a new certificate to new connections, and keeps the old one while the files do not belong together', async () => {
    const server = createHttpServer((_, response) => response.end(), SERVER_LIMITS, await readCertificate(files)).listen(0, '127.0.0.1') as TlsServer;
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    let looks = 0;
    const unfollow = followCertificate({ setSecureContext: (context) => (looks++, server.setSecureContext(context)) }, files, logger, 20);
    try {
      expect(await shown(port)).to.equal('one');
      use('two', 'one');
      expect(await shown(port)).to.equal('one');
      expect(looks).to.equal(0);
      use('two', 'two');
      while ((await shown(port)) === 'one');
      expect(await shown(port)).to.equal('two');
    } finally {
      unfollow();
      server.close();
      await once(server, 'close');
    }
  });
});
