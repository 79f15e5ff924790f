import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry } from '../test/support/registry-process.ts';
import { removeRemains } from './demo/cleanup.ts';
import { buildIfNeeded, startGatewayProcess, writeConfig } from './demo/gateway-process.ts';
import { pushSampleImages } from './demo/images.ts';
import { tellStory, type Teller } from './demo/story.ts';
import { ensureEngine } from './setup/engine.ts';
import { ensurePrograms } from './setup/packages.ts';

const NEEDED = [
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'busybox', package: 'busybox-static' },
];

/** The ports of the README's tour; others are taken where these are not free. */
const GATEWAY_PORT = 8080;
const REGISTRY_PORT = 5000;

const teller: Teller = {
  step: (text) => console.log(`\n\x1b[1m▸ ${text}\x1b[0m`),
  line: (text) => console.log(text),
};

type Undo = () => Promise<void> | void;

/** `npm run demo [-- --once]`. What it starts it stops, in reverse, however it ends. */
async function main(once: boolean): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const undo: Undo[] = [];
  try {
    await demo(once, interrupted.signal, undo);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    teller.step('Cleaning up');
    for (const step of undo.reverse()) await Promise.resolve(step()).catch((error: unknown) => console.error(error));
  }
}

async function demo(once: boolean, signal: AbortSignal, undo: Undo[]): Promise<void> {
  teller.step('Set up: a Docker Engine, a registry, sample images, the gateway');
  ensurePrograms(NEEDED, teller.line);
  const engine = await ensureEngine(teller.line);
  undo.push(() => engine.stop());
  signal.throwIfAborted();
  teller.line(`Docker Engine ${engine.version}`);
  const registry = await startRegistry({ port: REGISTRY_PORT });
  const port = await freePort(GATEWAY_PORT);
  undo.push(() => registry.stop(), () => removeRemains(registry.host, port));
  const images = await pushSampleImages(registry.host);
  teller.line(`A registry at ${registry.host} with ${Object.values(images).slice(0, 3).join(', ')}`);
  buildIfNeeded(teller.line);
  signal.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), 'pratique-demo-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const url = `http://127.0.0.1:${String(port)}`;
  const gateway = await startGatewayProcess(writeConfig(folder, registry.host, images, port), url);
  undo.push(() => gateway.stop());
  teller.line(`The gateway at ${url}; it approves one base, ${images.base}`);

  await tellStory(url, images, teller, signal);

  if (once) return;
  teller.step(`The gateway stays up at ${url} until Ctrl-C. Try next:`);
  teller.line(`  curl -i -d IMAGE=${images.derived} -d PHASE=RUN ${url}/uws/docker
  curl '${url}/uws/docker'
  curl '${url}/accepts?tasktype=uri://docker-container&taskinfo.image=${images.unlisted}'`);
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  process.exitCode = 0;
}

async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen(wanted, '127.0.0.1');
  const taken = await listening.then(() => false, () => true);
  if (taken) return freePort(0);
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : wanted;
}

main(process.argv.includes('--once')).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
