import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { Provider, type ResourceServer } from 'oidc-provider';

/** What an account of a federation looks like in its tokens. */
export type Shape = Readonly<Record<string, unknown>>;

/** The claim shapes of three federations, with the names of the Virtual Observatory's communities in them. */
export const SHAPES = {
  /** EGI Check-in: AARC-G002, the authority after #. */
  egi: {
    eduperson_entitlement: ['urn:mace:egi.eu:group:vespa:role=member#aai.egi.eu', 'urn:mace:egi.eu:group:vespa:role=vm_operator#aai.egi.eu'],
    voperson_id: '7a6ae5617ea76389@egi.eu',
  },
  /** eduTEAMS: a namespace of several parts, subgroups. */
  eduteams: { eduperson_entitlement: ['urn:geant:eduteams.org:service:eduteams:group:esap:developers#eduteams.org'], voperson_id: '6e1f@eduteams.org' },
  /** ESCAPE IAM (INDIGO IAM, WLCG profile): paths, in a claim with a dot in its name. */
  iam: { 'wlcg.groups': ['/escape', '/escape/cta'], 'wlcg.ver': '1.0' },
} as const satisfies Readonly<Record<string, Shape>>;

export const AUDIENCE = 'https://vo.example.org/pratique';

/** A real OpenID provider on a free port, whose tokens look as a test wants them to. */
export class OidcIssuer {
  readonly #server: Server;
  #provider!: Provider;
  #shapes: Readonly<Record<string, Shape>> = {};
  /** Paths that were asked for. */
  readonly asked: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<OidcIssuer> {
    const server = createServer();
    const issuer = new OidcIssuer(server);
    server.on('request', (request, response) => {
      issuer.asked.push(new URL(request.url ?? '/', 'http://x').pathname);
      void issuer.#provider.callback()(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await issuer.rotate();
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** New keys; what was signed with the old ones is worth nothing any more. */
  async rotate(): Promise<void> {
    const shapes = (): Readonly<Record<string, Shape>> => this.#shapes;
    this.#provider = new Provider(this.url, {
      jwks: { keys: [await newKey('RS256'), await newKey('ES256')] },
      cookies: { keys: ['test'] },
      clients: [{ client_id: 'portal', client_secret: 'portal-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
      claims: { openid: ['sub', 'eduperson_entitlement', 'voperson_id', 'wlcg.groups', 'groups'] },
      ttl: { AccessToken: 3600, ClientCredentials: 600, Grant: 3600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: { enabled: true, getResourceServerInfo: (_ctx, resource) => resourceServer(resource, 'RS256') },
      },
      extraTokenClaims: (_ctx, token) => ('accountId' in token ? shapes()[token.accountId] : undefined),
      findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...shapes()[id] }) }),
    });
  }

  /** An access token of this person, signed by the provider; opaque when it is for no audience. */
  async token(person: string, shape: Shape, options: { readonly audience?: string; readonly algorithm?: 'RS256' | 'ES256' } = {}): Promise<string> {
    this.#shapes = { ...this.#shapes, [person]: shape };
    const client = await this.#provider.Client.find('portal');
    if (client === undefined) throw new Error('no client');
    const grant = new this.#provider.Grant({ accountId: person, clientId: 'portal' });
    grant.addOIDCScope('openid');
    const grantId = await grant.save();
    const token = new this.#provider.AccessToken({ accountId: person, client, grantId, gty: 'authorization_code', scope: 'openid' });
    const { audience, algorithm = 'RS256' } = options;
    // the library has the class, its types do not
    const { ResourceServer: Resource } = this.#provider as unknown as { readonly ResourceServer: new (name: string, data: ResourceServer) => ResourceServer };
    if (audience !== undefined) token.resourceServer = new Resource(audience, resourceServer(audience, algorithm));
    return token.save();
  }

  /** A token that a service gets for itself, the way services do. */
  async serviceToken(audience: string): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('portal:portal-secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope: 'jobs' }),
    });
    const { access_token: token } = (await response.json()) as { access_token?: string };
    if (token === undefined) throw new Error(`no token: ${String(response.status)}`);
    return token;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function resourceServer(audience: string, algorithm: 'RS256' | 'ES256'): ResourceServer {
  return { audience, scope: 'openid jobs', accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } } as unknown as ResourceServer;
}

async function newKey(algorithm: 'RS256' | 'ES256'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: algorithm };
}
