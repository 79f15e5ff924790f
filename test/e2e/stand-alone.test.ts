import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { type Gateway, startGateway } from '../../src/gateway.ts';
import { createLogger } from '../../src/logger.ts';

describe('a stand-alone planner (note §8.1)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-stand-alone-'));
  let gateway: Gateway;

  before(async () => {
    const file = join(folder, 'pratique.yaml');
    // an engine that nobody could reach
    writeFileSync(
      file,
      `listen: { port: 0 }
baseUrl: https://vo.example.org
engine: { host: "unix://${folder}/nothing.sock" }
planner:
  standAlone: true
  services:
    - { name: jupyter, tasktypes: [uri://jupyter-notebook], servicetype: uri://jupyter-hub, endpoint: "http://jupyter.example.org/" }
`,
    );
    gateway = await startGateway(await loadConfig(file, {}), new SystemClock(), createLogger('silent'));
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(gateway.address + path, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  };

  it('speaks for others', async () => {
    const { text } = await get('/accepts?tasktype=uri://jupyter-notebook');
    expect(JSON.parse(text)).to.include({ reponseword: 'YES', servicetype: 'uri://jupyter-hub' });
  });

  it('takes no containers, and has no job lists', async () => {
    expect(JSON.parse((await get('/accepts?tasktype=uri://docker-container&taskinfo.image=a')).text)).to.include({ reponseword: 'NO' });
    expect((await get('/uws/docker')).status).to.equal(404);
    expect((await get('/jobtypes')).status).to.equal(404);
    expect(JSON.parse((await get('/services.json')).text)).to.have.nested.property('services.length', 1);
  });

  it('is available without an engine, and says what it is', async () => {
    expect((await get('/availability')).text).to.contain('>true<');
    const { text } = await get('/capabilities');
    expect(text).to.contain('ivo://pratique.dev/std/ExecutionPlanner');
    expect(text).not.to.contain('std/UWS');
  });

  it('has written nothing', () => void expect(existsSync(join(folder, 'data'))).to.equal(false));
});
