import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A real registry (CNCF distribution 2.8, Debian's docker-registry) that belongs to the caller alone. */
export interface RegistryProcess {
  /** `localhost:PORT`: usable as the domain of a reference, by us and by the Docker engine (plain http). */
  readonly host: string;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Ends the process and removes its storage. Repeating it does nothing. */
  stop(): Promise<void>;
}

export interface RegistryProcessOptions {
  /** More YAML for the registry's configuration, at its top level: an `auth:` section, say. */
  readonly settings?: string;
  /** Where to listen; absent, or taken by somebody else = a free port. */
  readonly port?: number;
}

const BINARY = 'docker-registry';
/** A free port can be lost to another process between finding it and listening on it. */
const ATTEMPTS = 5;
const READY_WITHIN_MS = 15_000;
const POLL_MS = 25;

/**
 * Starts a registry on 127.0.0.1, on a free port, with empty storage of its own; resolves when it answers. It also ends
 * when this process does, however that happens. Throws an Error that says how to install it where it is missing.
 */
export async function startRegistry(options: RegistryProcessOptions = {}): Promise<RegistryProcess> {
  const binary = findBinary();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(binary, options);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function findBinary(): string {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(directory, BINARY);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      continue;
    }
  }
  throw new Error(`${BINARY} is not on the PATH; install it: sudo apt-get install -y docker-registry`);
}

async function startOnce(binary: string, options: RegistryProcessOptions): Promise<RegistryProcess> {
  const port = await freePort(options.port).catch(() => freePort());
  const directory = await mkdtemp(join(tmpdir(), 'pratique-registry-'));
  const config = join(directory, 'config.yml');
  await writeFile(config, configuration(port, directory, options));
  const child = spawn(binary, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'], env: cleanEnvironment() });
  const guard = guardAgainstOrphans(child, directory);
  const stop = onlyOnce(async () => {
    guard.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) {
      // its end is waited for, be it by nothing else that keeps this process
      child.ref();
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(directory, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(child, url);
  } catch (error) {
    await stop();
    throw error;
  }
  child.unref();
  return { host: `localhost:${port}`, url, stop };
}

/** REGISTRY_* variables override the configuration file, so none may leak in. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('REGISTRY_'));
  return { ...Object.fromEntries(kept), OTEL_TRACES_EXPORTER: 'none' };
}

function configuration(port: number, directory: string, options: RegistryProcessOptions): string {
  // `urls` are allowed here so that the tests can push documents with foreign layers, which the gateway must refuse.
  return `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${directory}/storage
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: 127.0.0.1:${port}
validation:
  manifests:
    urls:
      allow: ['.*']
${options.settings ?? ''}
`;
}

/** A shell that waits for this process's end (its standard input closes, even after SIGKILL) and then cleans up. */
function guardAgainstOrphans(child: ChildProcess, directory: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(child.pid), directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  unreference(guard.stdin);
  return guard;
}

/** `wanted`, if it is free (rejects otherwise), or any. */
async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  let failed: Error | undefined;
  child.once('error', (error) => (failed = error));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    if (failed !== undefined) throw failed;
    if (child.exitCode !== null) throw new Error(`${BINARY} ended with ${child.exitCode}: ${complaint}`);
    if (await answers(url)) return unreference(child.stderr);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${BINARY} did not answer within ${READY_WITHIN_MS} ms: ${complaint}`);
}

/** A pipe to a child is a socket, whatever the types say, and would keep this process alive. */
function unreference(pipe: unknown): void {
  if (pipe instanceof Socket) pipe.unref();
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v2/`);
    await response.arrayBuffer();
    // 401 is an answer too: a registry with an `auth:` section.
    return response.status === 200 || response.status === 401;
  } catch {
    return false;
  }
}

function onlyOnce(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}
