import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { canInstall, ensurePrograms, findProgram } from './packages.ts';

/** A Docker Engine that answers. */
export interface RunningEngine {
  readonly version: string;
  /** Ends it, if it was started here. */
  readonly stop: () => Promise<void>;
}

const SOCKET = '/var/run/docker.sock';
const READY_WITHIN_SECONDS = 90;

/**
 * The Docker Engine that is there (DOCKER_HOST, else the default socket), or, as root on Debian or Ubuntu, one that is installed
 * and started now. Throws an Error with what to type where neither is possible.
 */
export async function ensureEngine(say: (line: string) => void): Promise<RunningEngine> {
  const version = await engineVersion();
  if (version !== undefined) return { version, stop: async () => undefined };
  if (process.env['DOCKER_HOST'] !== undefined) throw new Error(`no Docker Engine answers at DOCKER_HOST=${process.env['DOCKER_HOST']}`);
  if (findProgram('dockerd') === undefined && !canInstall()) {
    throw new Error('no Docker Engine answers. On Debian or Ubuntu: sudo apt-get install -y docker.io, and add yourself to the group docker');
  }
  if (process.getuid?.() !== 0) throw new Error('no Docker Engine answers. Start it: sudo systemctl start docker (or: sudo dockerd)');
  ensurePrograms([{ program: 'dockerd', package: 'docker.io' }, { program: 'iptables', package: 'iptables' }], say);
  const engine = existsSync('/run/systemd/system') ? bySystemd(say) : await byHand(say);
  const answered = await untilItAnswers(engine);
  say(`Docker Engine ${answered} is running.`);
  return { version: answered, stop: engine.stop };
}

interface Starting {
  readonly log: () => string;
  readonly alive: () => boolean;
  readonly stop: () => Promise<void>;
}

function bySystemd(say: (line: string) => void): Starting {
  say('Starting the service docker');
  spawnSync('systemctl', ['start', 'docker'], { stdio: ['ignore', 2, 2] });
  return {
    log: () => 'see: journalctl -u docker',
    alive: () => true,
    stop: async () => void spawnSync('systemctl', ['stop', 'docker', 'docker.socket'], { stdio: 'ignore' }),
  };
}

async function byHand(say: (line: string) => void): Promise<Starting> {
  say('Starting dockerd');
  const folder = mkdtempSync(join(tmpdir(), 'pratique-dockerd-'));
  const file = join(folder, 'dockerd.log');
  const log = openSync(file, 'a');
  // it looks for iptables, which is where the PATH of `su` does not lead
  const env = { ...process.env, PATH: [process.env['PATH'], '/usr/sbin', '/sbin'].join(delimiter) };
  // a session of its own, so that Ctrl-C ends us first and we end it
  const child = spawn(findProgram('dockerd') ?? 'dockerd', [], { stdio: ['ignore', log, log], detached: true, env });
  closeSync(log);
  child.unref();
  return {
    log: () => readFileSync(file, 'utf8').split('\n').slice(-15).join('\n'),
    alive: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        // waited for to its end: whoever starts an engine next would find this one's remains
        child.ref();
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilItAnswers(engine: Starting): Promise<string> {
  for (let second = 0; second < READY_WITHIN_SECONDS && engine.alive(); second += 0.25) {
    const version = await engineVersion();
    if (version !== undefined) return version;
    await pause(250);
  }
  const log = engine.log();
  await engine.stop();
  throw new Error(`the Docker Engine did not start:\n${log}`);
}

/** The version of the engine that answers, or undefined. Asked without a client library: this must work before anything else does. */
async function engineVersion(): Promise<string | undefined> {
  const host = process.env['DOCKER_HOST'] ?? `unix://${SOCKET}`;
  const url = new URL('/version', host.startsWith('unix://') ? 'http://localhost' : host.replace(/^tcp:/, 'http:'));
  const socket = host.startsWith('unix://') ? { socketPath: host.slice('unix://'.length) } : {};
  return new Promise((resolve) => {
    const asked = request(url, { ...socket, timeout: 5000 }, (response) => {
      const bytes: Buffer[] = [];
      response.on('data', (chunk: Buffer) => bytes.push(chunk));
      response.on('end', () => resolve(versionIn(Buffer.concat(bytes).toString('utf8'))));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

function versionIn(text: string): string | undefined {
  try {
    const { Version } = JSON.parse(text) as { Version?: unknown };
    return typeof Version === 'string' ? Version : undefined;
  } catch {
    return undefined;
  }
}
