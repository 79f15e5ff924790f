import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Order } from './steps.ts';

/** One gateway process that can be told to die. */
export class FaultGateway {
  readonly url: string;
  readonly #config: string;
  readonly #log: string;
  readonly #program: string;
  #process: ChildProcess | undefined;
  #clockOffset = 0;
  /** How often it was started. */
  starts = 0;

  /** `program`: the folder of the program's sources. */
  constructor(url: string, config: string, log: string, program: string) {
    this.#program = program;
    this.url = url;
    this.#config = config;
    this.#log = log;
  }

  get alive(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts it until it answers, however often it dies over what is wrong at present; gives up after a minute. */
  async start(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      if (!this.alive) this.#spawn();
      if (await fetch(`${this.url}/availability`, { signal: AbortSignal.timeout(3000) }).then((response) => response.ok, () => false)) return;
      await pause(100);
    }
    throw new Error(`the gateway at ${this.url} does not start; see ${this.#log}`);
  }

  /** Ends it; resolves with its exit code (null: by the signal) when it is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL', within = 60_000): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || !this.alive) return child?.exitCode ?? null;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGCONT');
    child.kill(signal);
    const code = await Promise.race([exited.then(([each]) => each), pause(within, undefined, { ref: false }).then(() => 'late' as const)]);
    if (code !== 'late') return code;
    child.kill('SIGKILL');
    await exited;
    throw new Error(`the gateway did not end within ${String(within / 1000)} s of ${signal}`);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.alive) this.#process?.kill(signal);
  }

  tell(order: Order): void {
    if (order.clockOffset !== undefined) this.#clockOffset = order.clockOffset;
    if (this.alive && this.#process?.connected === true) this.#process.send(order, () => undefined);
  }

  /** Resolves when it has died; false when it has not within so many milliseconds. */
  async dies(within: number): Promise<boolean> {
    const child = this.#process;
    if (child === undefined || !this.alive) return true;
    await Promise.race([once(child, 'exit'), pause(within, undefined, { ref: false })]);
    return !this.alive;
  }

  #spawn(): void {
    this.starts += 1;
    appendFileSync(this.#log, `--- start ${String(this.starts)} of ${this.url} at ${new Date().toISOString()}\n`);
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/faults/gateway-under-fault.ts', 'serve', '--config', this.#config], {
      cwd: this.#program,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, FAULT_CLOCK_OFFSET: String(this.#clockOffset), PRATIQUE_LISTEN_PORT: new URL(this.url).port },
    });
    child.stderr?.on('data', (chunk: Buffer) => appendFileSync(this.#log, chunk));
    child.on('error', () => undefined);
    this.#process = child;
  }
}
