import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { IssuerConfig } from './identity-config.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { TokenRefused } from './token-refused.ts';

/** How far the clocks of an issuer and of this machine may be apart (seconds): for so long a token counts after it has expired. */
export const SKEW = 30;

/** Types that an access token's header may give itself (RFC 9068 §2.1, RFC 7519 §5.1); other kinds of JWT are for other purposes (RFC 8725 §3.11). */
const TYPES: ReadonlySet<string> = new Set(['', 'jwt', 'at+jwt']);

/** The issuer a JWT claims to be from, to choose whose keys to hold against it; undefined where it is no JWT. Proves nothing. */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    return undefined;
  }
}

/** Verifies the JWTs of one issuer (RFC 7519, RFC 8725). */
export class TokenVerifier {
  readonly #config: IssuerConfig;
  readonly #keys: IssuerKeys;
  readonly #clock: Clock;

  constructor(config: IssuerConfig, keys: IssuerKeys, clock: Clock) {
    this.#config = config;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** The claims of a token that is good here and now. Throws TokenRefused, or Unavailable when the keys cannot be had. */
  async verify(token: string): Promise<JWTPayload> {
    const claims = await this.#verify(token, await this.#keys.current()).catch(async (error: unknown) => {
      // after a rotation the issuer signs with a key that was not there before
      const keys = error instanceof errors.JWKSNoMatchingKey ? await this.#keys.rotated() : undefined;
      if (keys === undefined) throw refusal(error);
      return this.#verify(token, keys).catch((second: unknown) => {
        throw refusal(second);
      });
    });
    refuseOtherKinds(claims);
    return claims;
  }

  async #verify(token: string, keys: JWTVerifyGetKey): Promise<JWTPayload> {
    const { issuer, audience, algorithms } = this.#config;
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      algorithms,
      ...(audience === 'any' ? {} : { audience }),
      requiredClaims: ['exp'],
      clockTolerance: SKEW,
      currentDate: new Date(this.#clock.now()),
    });
    const type = (protectedHeader.typ ?? '').toLowerCase().replace(/^application\//, '');
    if (!TYPES.has(type)) throw new TokenRefused('the token is no access token');
    return payload;
  }
}

/** Keycloak says in the claim typ what a token is for; and a token that is bound to a key (`cnf`) is worth nothing to who only bears it. */
function refuseOtherKinds(claims: JWTPayload): void {
  const kind = claims['typ'];
  if (typeof kind === 'string' && kind.toLowerCase() !== 'bearer') throw new TokenRefused('the token is no access token');
  if (claims['cnf'] !== undefined) throw new TokenRefused('the token is bound to a key, and no proof of that key is taken here');
}

function refusal(error: unknown): unknown {
  if (error instanceof TokenRefused || error instanceof GatewayError) return error;
  if (error instanceof errors.JWTExpired) return new TokenRefused('the token has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed) return new TokenRefused(CLAIMS[error.claim] ?? 'a claim of the token is not as it must be', error);
  if (error instanceof errors.JOSEAlgNotAllowed) return new TokenRefused('the token is signed with an algorithm that is not accepted here', error);
  // whatever else a stranger's token makes go wrong is its own fault: a key of the wrong kind or length, a signature of nonsense
  return new TokenRefused('the token is not valid', error);
}

const CLAIMS: Readonly<Record<string, string>> = {
  aud: 'the token is meant for another service',
  nbf: 'the token is not valid yet',
  exp: 'the token does not say when it expires',
};
