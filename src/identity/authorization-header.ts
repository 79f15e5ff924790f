/** What a client shows of itself (RFC 9110 §11.6.2). */
export type Credentials =
  | { readonly scheme: 'none' }
  | { readonly scheme: 'basic'; readonly user: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string }
  | { readonly scheme: 'unknown' };

/**
 * The credentials of an Authorization header. A user and a password of no letters are nobody (SSO 2.0: clients send them that were
 * told to log in as nobody). What cannot be read is `unknown`, never `none`.
 */
export function parseAuthorization(header: string | undefined): Credentials {
  if (header === undefined) return { scheme: 'none' };
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +(\S+) *$/.exec(header);
  const [scheme = '', shown = ''] = match?.slice(1) ?? [];
  if (scheme.toLowerCase() === 'basic') return parseBasic(shown);
  return scheme.toLowerCase() === 'bearer' ? { scheme: 'bearer', token: shown } : { scheme: 'unknown' };
}

/** RFC 7617: the first colon ends the user's name; UTF-8, as the challenge says. */
function parseBasic(encoded: string): Credentials {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return { scheme: 'unknown' };
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return { scheme: 'unknown' };
  if (text === ':') return { scheme: 'none' };
  return { scheme: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) };
}
