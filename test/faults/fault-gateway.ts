import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Arming, Order } from './steps.ts';
import { Spells } from './weather.ts';

/** One gateway process that can be told to die. */
export class FaultGateway {
  readonly url: string;
  readonly #config: string;
  readonly #log: string;
  readonly #program: string;
  readonly #hits: string;
  #process: ChildProcess | undefined;
  #clockOffset = 0;
  /** The process that has answered, and has not been told to end. */
  #serving: ChildProcess | undefined;
  /** Ends that nobody asked it for. */
  readonly crashes: string[] = [];
  readonly #away = new Spells();
  /** How often it was started. */
  starts = 0;

  /** `program`: the folder of the program's sources. */
  constructor(url: string, config: string, log: string, program: string) {
    this.#program = program;
    this.url = url;
    this.#config = config;
    this.#log = log;
    this.#hits = `${log}.hits-${new URL(url).port}`;
  }

  get alive(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts it until it answers, however often it dies over what is wrong at present; gives up after a minute. */
  async start(): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      if (!this.alive) this.#spawn();
      if (await fetch(`${this.url}/availability`, { signal: AbortSignal.timeout(3000) }).then((response) => response.ok, () => false)) {
        this.#serving = this.#process;
        this.#away.end();
        return;
      }
      await pause(100);
    }
    throw new Error(`the gateway at ${this.url} does not start; see ${this.#log}`);
  }

  /** Ends it; resolves with its exit code (null: by the signal) when it is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL', within = 60_000): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || !this.alive) return child?.exitCode ?? null;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    this.#serving = undefined;
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
    if (signal === 'SIGSTOP') this.#away.begin();
    if (signal === 'SIGCONT') this.#away.end();
  }

  /** Whether it was dead or frozen, or about to be or just back, between these instants. */
  wasAway(from: number, until: number): boolean {
    return this.#away.within(from, until);
  }

  tell(order: Order): void {
    if (order.clockOffset !== undefined) this.#clockOffset = order.clockOffset;
    if (this.alive && this.#process?.connected === true) this.#process.send(order, () => undefined);
  }

  /** Starts it anew, to die at a step that it comes to soon. */
  async startToDie(die: Arming): Promise<void> {
    await this.end('SIGKILL');
    this.#spawn(die);
  }

  /** Where it has died as it was told, `before DockerEngine.create` say; one line for each time. */
  get hits(): readonly string[] {
    return existsSync(this.#hits) ? readFileSync(this.#hits, 'utf8').split('\n').filter((line) => line !== '') : [];
  }

  /** Resolves with true once it has died; with false where it has not within so many milliseconds. */
  async dies(within: number): Promise<boolean> {
    const child = this.#process;
    if (child === undefined || !this.alive) return true;
    await Promise.race([once(child, 'exit'), pause(within, undefined, { ref: false })]);
    return !this.alive;
  }

  #spawn(die: Arming | null = null): void {
    const order: Order = { die, clockOffset: this.#clockOffset };
    this.starts += 1;
    appendFileSync(this.#log, `--- start ${String(this.starts)} of ${this.url} at ${new Date().toISOString()}\n`);
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/faults/gateway-under-fault.ts', 'serve', '--config', this.#config], {
      cwd: this.#program,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, FAULT_ORDER: JSON.stringify(order), FAULT_HITS: this.#hits, PRATIQUE_LISTEN_PORT: new URL(this.url).port },
    });
    child.stderr?.on('data', (chunk: Buffer) => appendFileSync(this.#log, chunk));
    child.on('error', () => undefined);
    child.on('exit', (code) => {
      this.#away.begin();
      if (code !== null && this.#serving === child) this.crashes.push(`the gateway at ${this.url} has ended by itself, with exit code ${String(code)}, at ${new Date().toISOString()}`);
    });
    this.#process = child;
  }
}
