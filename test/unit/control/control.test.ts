import { expect } from 'chai';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askGateway } from '../../../src/control/ask-gateway.ts';
import type { GatewayStatus } from '../../../src/control/gateway-status.ts';
import { serveControl } from '../../../src/control/serve-control.ts';
import { socketPath } from '../../../src/control/socket-path.ts';

describe('the control socket', () => {
  let folder: string;
  let socket: string;
  let end: (() => Promise<void>) | undefined;
  let told: string[];
  const status: GatewayStatus = { draining: true, active: 2, queued: 3, closed: 'because' };
  const controlled = {
    drain: (abortAfter?: number): void => void told.push(`drain ${String(abortAfter)}`),
    resume: (): void => void told.push('resume'),
    status: async (): Promise<GatewayStatus> => status,
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pratique-control-'));
    chmodSync(folder, 0o755);
    socket = join(folder, 'control.sock');
    told = [];
  });
  afterEach(async () => {
    await end?.();
    end = undefined;
    rmSync(folder, { recursive: true });
  });

  it('takes orders, and tells how things stand; its owner alone may open it', async () => {
    end = await serveControl(socket, controlled);
    expect(statSync(socket).mode & 0o777).to.equal(0o600);
    expect(await askGateway(socket, 'POST /drain')).to.deep.equal(status);
    await askGateway(socket, 'POST /drain?abort-after=90');
    await askGateway(socket, 'POST /resume');
    expect(told).to.deep.equal(['drain undefined', 'drain 90', 'resume']);
  });

  it('says no to what is no order, and does nothing', async () => {
    end = await serveControl(socket, controlled);
    const statusOf = (method: string, path: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => request({ socketPath: socket, method, path, agent: false }, (response) => resolve(response.resume().statusCode)).on('error', reject).end());
    expect(await statusOf('GET', '/drain')).to.equal(404);
    expect(await statusOf('POST', '/drain?abort-after=soon')).to.equal(500);
    expect(told).to.deep.equal([]);
  });

  it('tells that nobody listens, also where a killed process has left its socket; the next gateway takes that place', async () => {
    expect(await askGateway(socket, 'GET /status')).to.equal(undefined);
    writeFileSync(socket, '');
    expect(await askGateway(socket, 'GET /status')).to.equal(undefined);
    end = await serveControl(socket, controlled);
    expect(await askGateway(socket, 'GET /status')).to.deep.equal(status);
  });

  it('is not taken from a gateway that lives', async () => {
    end = await serveControl(socket, controlled);
    const second = await serveControl(socket, controlled).then(() => 'taken', (error: unknown) => String(error));
    expect(second).to.contain('another gateway listens');
    expect(await askGateway(socket, 'GET /status')).to.deep.equal(status);
  });

  it('refuses a path that the system would cut off', () => {
    expect(() => socketPath(join('/', 'x'.repeat(200)))).to.throw('too long');
  });
});
