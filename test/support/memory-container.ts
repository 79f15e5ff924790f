import { Readable } from 'node:stream';
import type { Clock, Instant } from '../../src/clock.ts';
import type { EngineRun, Exit } from '../../src/engine/engine.ts';
import type { ContainerUse } from '../../src/task/usage.ts';

/** What a container does by itself; everything absent is "nothing" and exit code 0. */
export interface Outcome {
  readonly code?: number;
  readonly outOfMemory?: boolean;
  readonly error?: string;
  readonly temporary?: boolean;
  readonly stopped?: boolean;
  /** Text added to stdout before the end. */
  readonly stdout?: string;
  readonly stderr?: string;
  /** Files below /output: path -> content. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** What lies below /output and is no regular file. */
  readonly skipped?: readonly { readonly path: string; readonly reason: string }[];
}

type Listener = () => void;

/** One container of the MemoryEngine: a state, two growing texts and some files. */
export class MemoryContainer {
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #text = { stdout: '', stderr: '' };
  readonly jobId: string;
  state: EngineRun['state'] = 'created';
  starts = 0;
  files: Record<string, string | Uint8Array> = {};
  skipped: { readonly path: string; readonly reason: string }[] = [];
  removed = false;
  /** With how many it was started. */
  secrets = 0;
  /** What it has used so far. */
  use: ContainerUse = { cpuSeconds: 0, peakMemory: 0 };
  #startedAt: Instant | undefined;
  #finishedAt: Instant | undefined;
  #exit: Exit | undefined;

  constructor(jobId: string, clock: Clock) {
    this.jobId = jobId;
    this.#clock = clock;
  }

  start(): void {
    if (this.state !== 'created') throw new Error(`container of ${this.jobId} started twice`);
    this.starts += 1;
    this.state = 'running';
    this.#startedAt = this.#clock.now();
    this.#changed();
  }

  /** A service that has ended was started once more: the engine tells of the latest start only. */
  startOnceMore(): void {
    this.#startedAt = this.#clock.now();
  }

  write(stream: 'stdout' | 'stderr', text: string): void {
    this.#text[stream] += text;
    this.#changed();
  }

  finish(outcome: Outcome): void {
    if (this.state === 'exited') return;
    this.#text.stdout += outcome.stdout ?? '';
    this.#text.stderr += outcome.stderr ?? '';
    Object.assign(this.files, outcome.files);
    this.skipped.push(...(outcome.skipped ?? []));
    this.#exit = { code: outcome.code ?? 0, outOfMemory: outcome.outOfMemory ?? false, ...(outcome.error === undefined ? {} : { error: outcome.error }), ...(outcome.temporary ? { temporary: true } : {}), ...(outcome.stopped ? { stopped: true } : {}) };
    this.state = 'exited';
    this.#finishedAt = this.#clock.now();
    this.#changed();
  }

  /** Whoever waits for it sees that it is gone. */
  remove(): void {
    this.removed = true;
    this.#changed();
  }

  run(): EngineRun {
    return {
      jobId: this.jobId,
      state: this.state,
      ...(this.#startedAt === undefined ? {} : { startedAt: this.#startedAt }),
      ...(this.#finishedAt === undefined ? {} : { finishedAt: this.#finishedAt }),
      ...(this.#exit === undefined ? {} : { exit: this.#exit }),
    };
  }

  /** Resolves at the next change. */
  async changed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#listeners.delete(done);
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        this.#listeners.delete(done);
        reject(signal?.reason as Error);
      };
      this.#listeners.add(done);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Wakes whoever waits, without a change: an outage, for example. */
  wake(): void {
    this.#changed();
  }

  /** The text so far; with `follow`, on until the container is over. The signal destroys the stream. */
  read(stream: 'stdout' | 'stderr', follow: boolean, signal: AbortSignal | undefined): Readable {
    const readable = Readable.from(this.#chunks(stream, follow, signal), { objectMode: false });
    if (signal) {
      const destroy = (): void => void readable.destroy(signal.reason as Error);
      signal.addEventListener('abort', destroy, { once: true });
      readable.once('close', () => signal.removeEventListener('abort', destroy));
    }
    return readable;
  }

  async *#chunks(stream: 'stdout' | 'stderr', follow: boolean, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    let sent = 0;
    for (;;) {
      const over = this.state !== 'running' || this.removed || !follow;
      const text = Buffer.from(this.#text[stream].slice(sent));
      sent = this.#text[stream].length;
      if (text.length > 0) yield text;
      else if (over) return;
      else await this.changed(signal);
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
