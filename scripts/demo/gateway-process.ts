import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { demoGateway } from './cleanup.ts';
import type { SampleImages } from './images.ts';

/** A gateway in a process of its own, started as a site would start it. */
export interface GatewayProcess {
  readonly url: string;
  readonly pid: number | undefined;
  readonly stop: () => Promise<void>;
}

/** Compiles the program if that was never done or its sources are newer. */
export function buildIfNeeded(say: (line: string) => void): void {
  const mark = 'dist/main.js';
  const sources = spawnSync('find', ['src', '-newer', mark, '-name', '*.ts'], { encoding: 'utf8' });
  if (existsSync(mark) && statSync(mark).isFile() && sources.stdout.trim() === '') return;
  say('Building (npm run build) …');
  const built = spawnSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 2, 2] });
  if (built.status !== 0) throw new Error('the program could not be built');
}

/** The demo's configuration: one registry, one approved base, one rule. */
export function writeConfig(folder: string, registry: string, images: SampleImages, port: number): string {
  const file = join(folder, 'pratique.yaml');
  writeFileSync(
    file,
    `listen: { host: 127.0.0.1, port: ${String(port)} }
log: warn
engine: { gateway: ${demoGateway(port)} }
registries:
  - { host: "${registry}", insecure: true, internal: true }
policy:
  bases:
    - { name: busybox, image: "${images.base}" }
  rules:
    - name: built-on-busybox
      images: ["${registry}/demo/**"]
      base: [busybox]
`,
  );
  return file;
}

/** Starts `pratique serve` and waits until it answers. Throws with what it said where it does not. */
export async function startGatewayProcess(config: string, url: string): Promise<GatewayProcess> {
  // in a group of its own: Ctrl-C reaches the demo alone, which stops the gateway when its jobs are gone
  const child = spawn(process.execPath, ['dist/main.js', 'serve', '--config', config], { stdio: ['ignore', 'inherit', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-4000)));
  while (child.exitCode === null && child.signalCode === null) {
    const answered = await fetch(`${url}/availability`).then((response) => response.ok, () => false);
    if (answered) return { url, pid: child.pid, stop: () => stop(child) };
    await pause(100);
  }
  throw new Error(`the gateway did not start:\n${said}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
