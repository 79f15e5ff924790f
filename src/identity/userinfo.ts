import { z } from 'zod';
import type { IssuerFetch } from './issuer-fetch.ts';
import type { IssuerMetadataSource } from './issuer-metadata.ts';
import type { Claims } from './claims.ts';
import { TokenRefused } from './token-refused.ts';

/** OpenID Connect Core §5.3.2: an object with at least a sub. */
const userinfoSchema = z.looseObject({ sub: z.string() });

/** Questions under way at once to one issuer: tokens that strangers make up must not become a flood on it. */
const AT_ONCE = 16;

/** What an issuer says of the bearer of a token (OpenID Connect Core §5.3). */
export class Userinfo {
  readonly #metadata: IssuerMetadataSource;
  readonly #fetch: IssuerFetch;
  #underWay = 0;

  constructor(metadata: IssuerMetadataSource, fetch: IssuerFetch) {
    this.#metadata = metadata;
    this.#fetch = fetch;
  }

  /** The claims. Throws TokenRefused where the issuer does not know the token, Unavailable when it cannot be asked. */
  async claims(token: string): Promise<Claims & { readonly sub: string }> {
    if (this.#underWay >= AT_ONCE) throw this.#fetch.unavailable('is asked too much at present');
    this.#underWay += 1;
    try {
      return await this.#ask(token);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #ask(token: string): Promise<Claims & { readonly sub: string }> {
    const { userinfo_endpoint: url } = await this.#metadata.get();
    if (url === undefined) throw this.#fetch.unavailable('has no userinfo endpoint');
    const response = await this.#fetch.get(url, 'userinfo', token);
    if (response.status === 400 || response.status === 401 || response.status === 403) throw new TokenRefused('the issuer of the token does not vouch for it');
    if (response.status !== 200) throw this.#fetch.unavailable(`answered with status ${String(response.status)} when asked for userinfo`);
    return this.#fetch.parse(response, 'userinfo', userinfoSchema);
  }
}
