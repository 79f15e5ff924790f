import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { GatewayError } from '../errors.ts';

/** Checks that wait for their turn at most; each takes some tenths of a second of one core. */
const MAX_WAITING = 20;

/**
 * The thread's whole program. As text, because a file would have another name in the build than in the sources; in a thread at all,
 * because bcrypt in JavaScript would hold up every other request while it works.
 */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const { compareSync } = require(workerData);
parentPort.on('message', ({ password, hash }) => parentPort.postMessage(compareSync(password, hash)));
`;

interface Check {
  readonly password: string;
  readonly hash: string;
  readonly resolve: (matches: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** Compares passwords with bcrypt hashes, one at a time, in a thread of its own. */
export class PasswordCheck {
  #worker: Worker | undefined;
  readonly #waiting: Check[] = [];
  #current: Check | undefined;

  /** Throws TooManyRequests when too many wait already. */
  matches(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new GatewayError('TooManyRequests', 'too many passwords are checked at present', { headers: { 'Retry-After': '5' } }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ password, hash, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#waiting.shift();
    if (this.#current === undefined) return;
    const { password, hash } = this.#current;
    try {
      this.#worker ??= this.#start();
      this.#worker.ref();
      this.#worker.postMessage({ password, hash });
    } catch (error) {
      this.#done((check) => check.reject(error instanceof Error ? error : new Error('no thread', { cause: error })));
    }
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { eval: true, execArgv: [], workerData: createRequire(import.meta.url).resolve('bcryptjs') });
    worker.on('message', (matches: unknown) => this.#done((check) => check.resolve(matches === true)));
    worker.on('error', (error: Error) => this.#failed(worker, error));
    worker.on('exit', () => this.#failed(worker, new Error('the thread that checks passwords has ended')));
    return worker;
  }

  #failed(worker: Worker, error: Error): void {
    // of one that was given up already nothing is waited for
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#done((check) => check.reject(error));
  }

  #done(settle: (check: Check) => void): void {
    const check = this.#current;
    this.#current = undefined;
    // an idle thread keeps nobody's process alive
    this.#worker?.unref();
    if (check !== undefined) settle(check);
    this.#next();
  }
}
