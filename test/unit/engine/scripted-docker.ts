import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as Listener } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A call that was made: method and path without its query, the query, and the body where it was JSON. */
export interface MadeCall {
  readonly call: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

/** What to answer: JSON with a status, raw bytes, nothing at all, or a no to a request that has only begun. */
export type Answer =
  | { readonly status?: number; readonly json: unknown }
  | { readonly raw: (response: ServerResponse) => void }
  | 'hang'
  | 'hang up'
  | 'no at once';

/** What an engine says of a path in a container; `mode`: Go's. */
export function stat(mode: number): Answer {
  const header = Buffer.from(JSON.stringify({ name: 'x', size: 0, mode, mtime: '2026-01-01T00:00:00Z', linkTarget: '' })).toString('base64');
  return { raw: (response) => response.writeHead(200, { 'x-docker-container-path-stat': header }).end() };
}

/** A Docker API of which a test writes every answer: for what a real engine does only when it is broken, old or evil. */
export class ScriptedDocker {
  readonly calls: MadeCall[] = [];
  readonly #server: Server;
  readonly #folder: string;
  readonly #answers = new Map<string, Answer[]>();

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.#folder = folder;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response));
  }

  static async start(): Promise<ScriptedDocker> {
    const folder = await mkdtemp(join(tmpdir(), 'pratique-docker-'));
    const server = createServer();
    server.listen(join(folder, 'socket'));
    await once(server, 'listening');
    return new ScriptedDocker(server, folder);
  }

  get host(): string {
    return `unix://${this.#folder}/socket`;
  }

  /**
   * The answers to a call (`GET /info`, a name or id in a path as it is; with `?name=` only those of that name), one after the
   * other; the last one for ever.
   */
  on(call: string, ...answers: readonly Answer[]): this {
    this.#answers.set(call, [...answers]);
    return this;
  }

  /** The calls that were made; with `?name=` only those of that name. */
  made(call: string): MadeCall[] {
    const [path, name] = call.split('?name=');
    return this.calls.filter((made) => made.call === path && (name === undefined || made.query.get('name') === name));
  }

  /** Takes no new connections, as an engine that goes down; who is connected is still served. */
  goDown(): void {
    Listener.prototype.close.call(this.#server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://docker');
    const call = `${request.method ?? ''} ${decodeURIComponent(url.pathname)}`;
    if (this.#answers.get(call)?.[0] === 'no at once') {
      response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"no space left on device"}');
      return;
    }
    const body = await text(request);
    const json = request.headers['content-type'] === 'application/json';
    this.calls.push({ call, query: url.searchParams, body: json ? JSON.parse(body) : body, headers: request.headers });
    const answers = this.#answers.get(`${call}?name=${url.searchParams.get('name') ?? ''}`) ?? this.#answers.get(call) ?? [{ status: 404, json: { message: `nothing scripted for ${call}` } }];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === 'hang' || answer === 'no at once' || answer === undefined) return;
    if (answer === 'hang up') return void request.socket.destroy();
    if ('raw' in answer) return answer.raw(response);
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
    response.end(answer.status === 204 || answer.status === 304 ? undefined : JSON.stringify(answer.json));
  }
}
