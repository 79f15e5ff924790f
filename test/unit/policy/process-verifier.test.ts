import { spawn } from 'node:child_process';
import { expect } from 'chai';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayError } from '../../../src/errors.ts';
import { SystemClock } from '../../../src/clock.ts';
import { ProcessVerifier } from '../../../src/policy/process-verifier.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const { signal } = new AbortController();
const failure = (running: Promise<number>): Promise<string> =>
  running.then((code) => `exit ${code}`, (error: unknown) => (error instanceof GatewayError ? `${error.code}: ${error.message}` : String(error)));

describe('a verifier in a process', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'pratique-verifier-'))));
  afterEach(() => rm(directory, { recursive: true }));
  const verifier = new ProcessVerifier(new SystemClock());
  const shell = (script: string): readonly string[] => ['/bin/sh', '-c', script];

  for (const code of [0, 1, 7]) it(`tells exit code ${code}`, async () => expect(await verifier.run(shell(`exit ${code}`), 60_000, signal)).to.equal(code));

  it('gets its words as they are', async () => {
    const words = ['$(touch x)', 'a b', '*', ''];
    const script = `printf '%s|' "$@" > ${directory}/words`;
    await verifier.run([...shell(script), 'sh', ...words], 60_000, signal);
    expect(await readFile(`${directory}/words`, 'utf8')).to.equal(words.map((word) => `${word}|`).join(''));
  });

  it('gets nothing of our environment but what it needs', async () => {
    process.env['PRATIQUE_TEST_SECRET'] = 'secret';
    try {
      await verifier.run(shell(`env > ${directory}/env`), 60_000, signal);
    } finally {
      delete process.env['PRATIQUE_TEST_SECRET'];
    }
    const env = await readFile(`${directory}/env`, 'utf8');
    expect(env).to.include('PATH=');
    expect(env).not.to.include('secret');
  });

  it('cannot be started', async () => expect(await failure(verifier.run(['/does/not/exist'], 60_000, signal))).to.match(/^Unavailable: .*cannot be started/));
  it('is ended by a signal', async () => expect(await failure(verifier.run(shell('kill -9 $$'), 60_000, signal))).to.match(/^Unavailable: .*signal/));

  it('is ended with everything it started when its time is over', async () => {
    const clock = new FakeClock(0);
    const limited = new ProcessVerifier(clock);
    // The pipe is open for as long as a process of the group lives; only then does `cat` end.
    const watcher = spawn('/bin/sh', ['-c', `mkfifo ${directory}/alive; echo ready; cat ${directory}/alive`], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = new Promise((resolve) => watcher.once('exit', resolve));
    await new Promise((resolve) => watcher.stdout.once('data', resolve));
    const running = failure(limited.run(shell(`exec 3>${directory}/alive; echo up >&3; sleep 1000 & wait`), 5000, signal));
    await new Promise((resolve) => watcher.stdout.once('data', resolve));
    clock.advance(5000);
    expect(await running).to.match(/^Unavailable: .*5000 ms/);
    await ended;
  });

  it('is ended when the question is withdrawn', async () => {
    const withdrawn = new AbortController();
    const running = failure(verifier.run(shell('sleep 1000'), 60_000, withdrawn.signal));
    withdrawn.abort(new Error('withdrawn'));
    expect(await running).to.include('withdrawn');
  });
});
