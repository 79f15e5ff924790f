import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy before a real registry that writes down every request, and asks for credentials when it is told to. */
export interface RegistryProxy {
  readonly host: string;
  /** `METHOD path -> status`, in order; the token service's requests too. */
  readonly requests: string[];
  /** Of each request to the registry: its Authorization header. */
  readonly authorizations: (string | undefined)[];
  /** Scopes that tokens were asked for. */
  readonly scopes: string[];
  /** Tokens that were issued become void. */
  readonly revoke: () => void;
  readonly stop: () => Promise<void>;
}

export interface ProxyOptions {
  /** `basic`: as user:secret. `bearer`: tokens from `/token` on the same host, to `user:secret` or to anybody. */
  readonly auth?: 'basic' | 'bearer' | 'bearer-for-users';
  /** Seconds that a token says it lives. */
  readonly expiresIn?: number;
  /** Answers a request itself where it returns the status. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse) => number | undefined;
}

const USER = `Basic ${Buffer.from('user:secret').toString('base64')}`;

export async function startProxy(target: string, options: ProxyOptions = {}): Promise<RegistryProxy> {
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const scopes: string[] = [];
  const tokens = new Map<string, string>();
  let issued = 0;
  const server = createServer((request, response) => {
    // Written down before anything is sent, so that who has an answer finds it here.
    const log = (status: number): number => (requests.push(`${request.method} ${request.url} -> ${status}`), status);
    const url = new URL(request.url ?? '', 'http://proxy');
    if (url.pathname === '/token') return issueToken(request, response, url, log);
    authorizations.push(request.headers.authorization);
    const status = options.instead?.(request, response);
    if (status !== undefined) return void log(status);
    const challenge = challengeFor(request, url);
    if (challenge !== undefined) return void response.writeHead(log(401), { 'www-authenticate': challenge, 'content-type': 'application/json' }).end('{"errors":[]}');
    pass(request, response, log);
  });

  function issueToken(request: IncomingMessage, response: ServerResponse, url: URL, log: (status: number) => number): void {
    const scope = url.searchParams.get('scope') ?? '';
    scopes.push(scope);
    if (options.auth === 'bearer-for-users' && request.headers.authorization !== USER) return void response.writeHead(log(401)).end();
    const token = `token-${(issued += 1)}`;
    tokens.set(`Bearer ${token}`, scope);
    response.writeHead(log(200), { 'content-type': 'application/json' }).end(JSON.stringify({ token, ...(options.expiresIn === undefined ? {} : { expires_in: options.expiresIn }) }));
  }

  function challengeFor(request: IncomingMessage, url: URL): string | undefined {
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs|referrers)\//.exec(url.pathname)?.[1] ?? '';
    if (options.auth === undefined) return undefined;
    if (options.auth === 'basic') return request.headers.authorization === USER ? undefined : 'Basic realm="here"';
    if (tokens.get(request.headers.authorization ?? '') === `repository:${repository}:pull`) return undefined;
    return `Bearer realm="http://${request.headers.host}/token",service="here",scope="repository:${repository}:pull,push"`;
  }

  function pass(request: IncomingMessage, response: ServerResponse, log: (status: number) => number): void {
    const headers = { ...request.headers };
    delete headers['authorization'];
    const onward = forward(`${target}${request.url}`, { method: request.method ?? 'GET', headers }, (answer) => {
      response.writeHead(log(answer.statusCode ?? 502), answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { host, requests, authorizations, scopes, revoke: () => tokens.clear(), stop };
}
