import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/site.ts';

/** As a disk that fails: every sync is an error once the file `broken` is there. */
const FAILING = `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { fdatasync } = fs;
fs.fdatasync = (file, done) => (fs.existsSync(new URL('broken', import.meta.url)) ? done(new Error('EIO: i/o error, fdatasync')) : fdatasync(file, done));
syncBuiltinESMExports();
`;

describe('a gateway whose disk fails', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-failing-'));
  let child: ChildProcess;
  let said = '';
  after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('says so and ends with 1, so that whoever watches over it starts it again', async () => {
    writeFileSync(join(folder, 'failing.mjs'), FAILING);
    const port = await freePort();
    const url = `http://127.0.0.1:${String(port)}`;
    const env = { ...process.env, PRATIQUE_DATA: join(folder, 'data'), PRATIQUE_LISTEN_PORT: String(port), PRATIQUE_ENGINE_HOST: 'unix:///nonexistent/docker.sock' };
    child = spawn(process.execPath, ['--import', 'tsx', '--import', join(folder, 'failing.mjs'), 'src/main.ts', 'serve'], { stdio: ['ignore', 'ignore', 'pipe'], env });
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    const exited = once(child, 'exit') as Promise<[number | null]>;
    while (child.exitCode === null && !(await fetch(`${url}/uws/docker`).then(({ ok }) => ok, () => false))) await new Promise((turn) => setImmediate(turn));
    const create = (): Promise<Response> => fetch(`${url}/uws/docker`, { method: 'POST', body: new URLSearchParams({ RUNID: 'one' }), redirect: 'manual' });
    expect((await create()).status, said).to.equal(303);
    writeFileSync(join(folder, 'broken'), '');
    expect((await create()).status).to.equal(503);
    expect((await exited)[0], said).to.equal(1);
    expect(said).to.contain('the disk did not keep').and.to.contain('fdatasync');
  });
});
