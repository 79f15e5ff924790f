import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';

/** A door as Portainer has it in front of the local engine: a prefix and a key, or nothing. */
export interface PortainerDoor {
  /** The `engine` section of a gateway that goes through it. */
  readonly settings: { readonly portainer: { readonly url: string; readonly environment: number; readonly tokenFile: string } };
  /** Calls that were let through, and those that were not. */
  readonly passed: number;
  readonly refused: readonly string[];
  /** The right key is no longer right. */
  revoke(): void;
  stop(): Promise<void>;
}

/** The local engine's socket, where it is one. */
const SOCKET = (process.env['DOCKER_HOST'] ?? '').startsWith('unix://') ? (process.env['DOCKER_HOST'] ?? '').slice('unix://'.length) : '/var/run/docker.sock';
const PREFIX = '/portainer/api/endpoints/7/docker';
const KEY = 'ptr_test+only/key=';

/**
 * Passes what comes below the prefix with the key on to the real engine, answers included, as they come; everything else gets
 * what Portainer says. It is no Portainer: what that changes in a request or an answer is not here.
 */
export async function startPortainerDoor(): Promise<PortainerDoor> {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-portainer-'));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${KEY}\n`);
  let key = KEY;
  let passed = 0;
  const refused: string[] = [];
  const server = createServer((incoming, response) => {
    const path = incoming.url ?? '';
    if (incoming.headers['x-api-key'] !== key || !path.startsWith(`${PREFIX}/`)) {
      refused.push(path);
      incoming.resume();
      response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"message":"Unauthorized","details":"A valid authorization token is missing"}');
      return;
    }
    passed += 1;
    passOn(incoming, response, path.slice(PREFIX.length));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    settings: { portainer: { url: `http://127.0.0.1:${String(port)}/portainer/`, environment: 7, tokenFile } },
    get passed() {
      return passed;
    },
    refused,
    revoke: () => {
      key = 'another';
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}

function passOn(incoming: IncomingMessage, response: ServerResponse, path: string): void {
  const headers = { ...incoming.headers };
  delete headers['x-api-key'];
  const outgoing = request({ socketPath: SOCKET, path, method: incoming.method ?? 'GET', headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    pipeline(answer, response, () => undefined);
  });
  outgoing.on('error', () => response.destroy());
  response.once('close', () => outgoing.destroy());
  pipeline(incoming, outgoing, () => undefined);
}
