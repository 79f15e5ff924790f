import { once } from 'node:events';
import { Agent, type IncomingMessage, request as forward, createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type RegistryProcess, startRegistry } from '../support/registry-process.ts';
import { Spells } from './weather.ts';

/** How the way to the registry is. */
export type RegistryWeather = 'fair' | 'refused' | 'slow' | 'truncated' | 'corrupt' | 'error500' | 'error429';

/** Bytes after which a body breaks off, or is changed. */
const SPOILED_AT = 300;

/** A real registry behind a proxy that can be told to be a bad one. Gateway and engine both see the proxy only. */
export class FaultRegistry {
  readonly #registry: RegistryProcess;
  readonly #server: Server;
  readonly #agent = new Agent();
  readonly #bad = new Spells();
  #weather: RegistryWeather = 'fair';

  static async start(): Promise<FaultRegistry> {
    const registry = await startRegistry();
    const made = new FaultRegistry(registry);
    made.#server.listen(0, '127.0.0.1');
    await once(made.#server, 'listening');
    return made;
  }

  private constructor(registry: RegistryProcess) {
    this.#registry = registry;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', (socket: Socket) => {
      if (this.weather === 'refused') socket.destroy();
    });
  }

  get weather(): RegistryWeather {
    return this.#weather;
  }

  set weather(weather: RegistryWeather) {
    this.#bad.end();
    if (weather !== 'fair') this.#bad.begin();
    this.#weather = weather;
  }

  /** Whether it was a bad one, or about to be or just over it, between these instants. */
  wasBad(from: number, until: number): boolean {
    return this.#bad.within(from, until);
  }

  /** Where images are pushed to, whatever the weather. */
  get inside(): string {
    return this.#registry.host;
  }

  /** What references say. */
  get host(): string {
    return `localhost:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
    await this.#registry.stop();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { weather } = this;
    if (weather === 'refused') return void request.socket.destroy();
    if (weather === 'error500') return void response.writeHead(500).end('{"errors":[{"code":"UNKNOWN","message":"a fault"}]}');
    if (weather === 'error429') return void response.writeHead(429, { 'retry-after': '1' }).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"a fault"}]}');
    const onward = forward(`${this.#registry.url}${request.url ?? '/'}`, { method: request.method ?? 'GET', headers: request.headers, agent: this.#agent }, (answer) => {
      // an engine that is killed takes no more; then the registry is to send no more
      response.once('close', () => answer.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      this.#send(answer, response, weather).catch(() => response.destroy());
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  }

  async #send(answer: IncomingMessage, response: ServerResponse, weather: RegistryWeather): Promise<void> {
    let sent = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const bytes = Buffer.from(chunk);
      const at = SPOILED_AT - sent;
      sent += bytes.length;
      if (weather === 'truncated' && sent > SPOILED_AT) {
        response.write(bytes.subarray(0, Math.max(0, at)));
        await pause(20);
        response.destroy();
        return;
      }
      if (weather === 'corrupt' && at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ 1;
      if (weather === 'slow') await pause(300);
      if (!response.write(bytes)) await once(response, 'drain');
    }
    response.end();
  }
}
