import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import { Slots } from './concurrency.ts';
import type { ExternalVerifier } from './external-verifier.ts';

/** Verifiers at a time: they are foreign processes that nobody has measured. */
const CONCURRENCY = 2;
/** What a verifier gets of our environment: where to find its trust store and helpers, and no secret of ours. */
const PASSED_ON = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'DOCKER_CONFIG', 'TMPDIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Runs verifiers as child processes, each in a process group of its own, so that its children end with it. */
export class ProcessVerifier implements ExternalVerifier {
  readonly #clock: Clock;
  readonly #slots = new Slots(CONCURRENCY);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  run(command: readonly string[], timeout: number, signal: AbortSignal): Promise<number> {
    return this.#slots.run(() => this.#run(command, timeout, signal));
  }

  async #run([program = '', ...words]: readonly string[], timeout: number, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const child = spawn(program, words, { stdio: 'ignore', detached: true, shell: false, cwd: '/', env: environment() });
    const over = new AbortController();
    const stop = (): void => {
      kill(child);
    };
    signal.addEventListener('abort', stop, { once: true });
    const limit = this.#clock.sleep(timeout, over.signal).then(() => {
      if (over.signal.aborted) return false;
      kill(child);
      return true;
    });
    try {
      const { code, error } = await ended(child);
      over.abort();
      signal.throwIfAborted();
      if (code !== null) return code;
      const why = (await limit) ? `did not answer within ${String(timeout)} ms` : error === undefined ? 'was ended by a signal' : 'cannot be started';
      throw new GatewayError('Unavailable', `the signature verifier of this site ${why}`, { cause: error });
    } finally {
      over.abort();
      signal.removeEventListener('abort', stop);
      kill(child);
    }
  }
}

function environment(): Record<string, string> {
  return Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly error?: Error }> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve({ code: null, error });
    });
    child.once('exit', (code) => {
      resolve({ code });
    });
  });
}

/** Ends the whole group: what the verifier started must not outlive the question. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
