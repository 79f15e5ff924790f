import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';

export const AUDIENCE = 'https://vo.example.org/pratique';

/** Two, because keys take long to make: no more issuers than that are compared with each other. */
const PAIRS = [0, 1].map(() => generateKeyPair('RS256', { extractable: true }));
let made = 0;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer whose every answer a test decides, and that signs whatever it is given. */
export class HostileIssuer {
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();
  privateKey!: CryptoKey;
  publicKey!: CryptoKey;
  /** What /jwks answers, unless a test says otherwise. */
  keys: JWK[] = [];
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<HostileIssuer> {
    const server = createServer();
    const issuer = new HostileIssuer(server);
    server.on('request', (request, response) => {
      const path = request.url ?? '/';
      issuer.asked.push({ path, authorization: request.headers.authorization });
      (issuer.#answers.get(path) ?? notFound)(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const turn = made;
    made += 1;
    const pair = await PAIRS[turn % 2];
    if (pair === undefined) throw new Error('no keys');
    issuer.privateKey = pair.privateKey;
    issuer.publicKey = pair.publicKey;
    issuer.keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }];
    issuer.reset();
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** The public key as everybody can have it. */
  pem(): Promise<string> {
    return exportSPKI(this.publicKey);
  }

  /** Every answer as an honest issuer gives it. */
  reset(): void {
    this.#answers.clear();
    this.json('/.well-known/openid-configuration', () => ({ issuer: this.url, jwks_uri: `${this.url}/jwks`, userinfo_endpoint: `${this.url}/userinfo` }));
    this.json('/jwks', () => ({ keys: this.keys }));
    this.json('/userinfo', () => ({ sub: 'ada', groups: ['from-userinfo'] }));
  }

  answer(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  json(path: string, content: () => unknown): void {
    this.answer(path, (_, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(content()));
    });
  }

  /** A good token but for what is given. */
  token(claims: Readonly<Record<string, unknown>> = {}, header: Partial<JWTHeaderParameters> = {}, key: CryptoKey | Uint8Array = this.privateKey): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: this.url, aud: AUDIENCE, sub: 'ada', iat: now, exp: now + 600, ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'one', ...header }).sign(key);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function notFound(_: IncomingMessage, response: ServerResponse): void {
  response.statusCode = 404;
  response.end();
}

/** A token put together by hand: nothing checks what is in it. */
export function assembled(header: object, claims: object, signature = ''): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode(header)}.${encode(claims)}.${signature}`;
}
