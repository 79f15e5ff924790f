import type { IncomingMessage } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import Docker from 'dockerode';
import type { Clock } from '../clock.ts';
import type { DockerConnection } from './docker-connection.ts';
import { DockerStatusError, EngineLate, engineUnavailable, fromDockerode } from './docker-errors.ts';

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export interface CallOptions {
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: object;
  /** Sent as application/x-tar. */
  readonly tar?: Buffer;
  /** The same as a stream, sent as it comes. */
  readonly content?: Readable;
  /** Statuses beside 2xx that are an answer and no error. */
  readonly accept?: readonly number[];
  /** Milliseconds until the answer (of `open`: its head) must be there; default: the configured one. 0 = for ever. */
  readonly within?: number;
  readonly signal?: AbortSignal | undefined;
  /** X-Registry-Auth. */
  readonly credentials?: { readonly username: string; readonly password: string; readonly serveraddress: string };
}

/** An answer as JSON, or the body undefined where the status was one of `accept`. */
export interface DockerAnswer {
  readonly status: number;
  readonly body: unknown;
}

const SUCCESS = { 200: true, 201: true, 204: true };

/**
 * Calls of the engine's API, one deadline and one translation of errors for all. dockerode's own methods are passed by: they
 * lose a creation's warnings, read a whole log as if it were JSON, and know some parameters only.
 */
export class DockerCalls {
  readonly #modem: Docker['modem'];
  readonly #agent: DockerConnection['agent'];
  readonly #clock: Clock;
  readonly #within: number;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `within`: milliseconds that the engine has for an answer. */
  constructor(connection: DockerConnection, clock: Clock, within: number) {
    this.#modem = new Docker(connection.options).modem;
    this.#agent = connection.agent;
    this.#clock = clock;
    this.#within = within;
    this.#prefix = connection.prefix ?? '';
    this.#headers = connection.headers ?? {};
  }

  /**
   * One call with a short answer. Throws EngineUnavailable when the engine does not answer in time, DockerStatusError when it
   * answers no, and the signal's reason when that aborts.
   */
  async ask(method: Method, path: string, options: CallOptions = {}): Promise<DockerAnswer> {
    try {
      const body = await this.#timed(options, (signal) => this.#dial(method, path, options, signal, false));
      return { status: 200, body };
    } catch (error) {
      if (error instanceof DockerStatusError && options.accept?.includes(error.status)) return { status: error.status, body: undefined };
      throw error;
    }
  }

  /** One call whose answer is a stream; the signal destroys it. Throws as `ask`. */
  async open(method: Method, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const response = await this.#timed(options, (signal) => this.#dial(method, path, options, signal, true), true);
    if (!(response instanceof Readable)) throw engineUnavailable(undefined, 'the container engine gave no stream');
    return response as IncomingMessage;
  }

  /**
   * Throws EngineUnavailable where no new connection is taken. An engine that goes down listens no more, still serves what it
   * has begun, and unmounts the volumes below it: what was read, or written, is whole where it listens afterwards.
   */
  async mustListen(signal?: AbortSignal): Promise<void> {
    // with none idle, the next call makes a connection of its own
    for (const socket of Object.values(this.#agent.freeSockets).flat()) socket?.destroy();
    await this.ask('GET', '/_ping', { signal });
  }

  /** One call whose connection becomes a stream in both directions, half-open where one side has ended; the signal counts until it is there. Throws as `ask`. */
  async hijack(path: string, body: object, signal: AbortSignal): Promise<Duplex> {
    return (await this.#timed({ signal }, (given) => this.#dial('POST', path, { body }, given, true, true))) as Duplex;
  }

  /** Runs `work` with a signal that aborts with the caller's or at the deadline; once `work` is done only the caller's counts. */
  async #timed(options: CallOptions, work: (signal: AbortSignal) => Promise<unknown>, keep = false): Promise<unknown> {
    const { signal } = options;
    signal?.throwIfAborted();
    const aborter = new AbortController();
    const done = new AbortController();
    const abort = (): void => aborter.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const release = (): void => signal?.removeEventListener('abort', abort);
    const within = options.within ?? this.#within;
    let late = false;
    if (within > 0) {
      void this.#clock.sleep(within, done.signal).then(() => {
        if (done.signal.aborted) return;
        late = true;
        aborter.abort();
      });
    }
    let kept = false;
    try {
      const value = await work(aborter.signal);
      kept = keep && value instanceof Readable;
      if (kept) (value as Readable).once('close', release);
      return value;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (late) throw new EngineLate(within, error);
      throw fromDockerode(error);
    } finally {
      done.abort();
      if (!kept) release();
    }
  }

  #dial(method: Method, path: string, options: CallOptions, signal: AbortSignal, isStream: boolean, hijack = false): Promise<unknown> {
    const { query, body, credentials } = options;
    const tar = options.tar ?? options.content;
    return new Promise((resolve, reject) => {
      this.#modem.dial(
        {
          method,
          path: this.#prefix + (query ? `${path}?` : path),
          options: { _query: query ?? {}, _body: body ?? {} },
          statusCodes: SUCCESS,
          isStream,
          ...(hijack ? { hijack: true, openStdin: true } : {}),
          abortSignal: signal,
          headers: { ...this.#headers, ...(tar ? { 'Content-Type': 'application/x-tar' } : {}) },
          ...(tar ? { file: tar } : {}),
          ...(credentials ? { authconfig: credentials } : {}),
        },
        (error, result) => {
          if (error) reject(error);
          else resolve(result);
        },
      );
    });
  }
}
