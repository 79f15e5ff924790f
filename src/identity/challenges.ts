import type { IdentityConfig, IssuerConfig } from './identity-config.ts';

/** What a Bearer challenge says beside where tokens come from (RFC 6750 §3.1). */
export type BearerError = 'invalid_token';

/**
 * The WWW-Authenticate headers of this site, one challenge each, because few clients can read a list: Bearer for everybody (with
 * RFC 9728's pointer to the issuers), ivoa_bearer for VO clients (SSO 2.0, where a token can be had), Basic last.
 */
export function challengesOf(config: IdentityConfig, baseUrl: string, error?: BearerError): readonly string[] {
  const realm = `realm="${config.realm}"`;
  const metadata = `resource_metadata="${baseUrl}/.well-known/oauth-protected-resource"`;
  const why = error === undefined ? '' : `, error="${error}"`;
  return [
    ...(config.issuers.length === 0 ? [] : [`Bearer ${realm}, ${metadata}${why}`]),
    ...config.issuers.map(ivoaBearer),
    ...(config.htpasswd === undefined ? [] : [`Basic ${realm}, charset="UTF-8"`]),
  ];
}

function ivoaBearer({ issuer, tokens }: IssuerConfig): string {
  const { standardId, accessUrl } = tokens ?? { standardId: 'ivo://ivoa.net/sso#OpenID', accessUrl: issuer };
  return `ivoa_bearer standard_id="${standardId}", access_url="${quotable(accessUrl)}"`;
}

/** A URL as it can stand between quotes. */
function quotable(url: string): string {
  return new URL(url).href.replace(/["\\]/g, (character) => encodeURIComponent(character));
}

/** The identifiers of the ways to log in, best first, for VOSI capabilities (SSO 2.0 §3, VOResource securityMethod). */
export function securityMethodsOf(config: IdentityConfig): readonly string[] {
  return [
    ...(config.issuers.length === 0 ? [] : ['ivo://ivoa.net/sso#OAuth', 'ivo://ivoa.net/sso#OpenID']),
    ...(config.htpasswd === undefined ? [] : ['ivo://ivoa.net/sso#BasicAA']),
  ];
}

/** This gateway as a protected resource (RFC 9728 §2): where its tokens come from; undefined where it takes none. */
export function protectedResourceOf(config: IdentityConfig, baseUrl: string): object | undefined {
  if (config.issuers.length === 0) return undefined;
  return {
    resource: baseUrl,
    resource_name: config.realm,
    authorization_servers: config.issuers.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
  };
}
