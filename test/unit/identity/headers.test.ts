import { expect } from 'chai';
import { parseAuthorization } from '../../../src/identity/authorization-header.ts';
import { challengesOf, protectedResourceOf, securityMethodsOf } from '../../../src/identity/challenges.ts';
import { identitySchema } from '../../../src/identity/identity-config.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('parseAuthorization', () => {
  const cases: readonly (readonly [string, string | undefined, object])[] = [
    ['no header', undefined, { scheme: 'none' }],
    ['a user and a password of no letters (uws.md 102)', basic(':'), { scheme: 'none' }],
    ['the same unpadded', 'Basic Og', { scheme: 'none' }],
    ['a user', basic('ada:secret'), { scheme: 'basic', user: 'ada', password: 'secret' }],
    ['a password with colons', basic('ada:a:b'), { scheme: 'basic', user: 'ada', password: 'a:b' }],
    ['a password alone', basic(':x'), { scheme: 'basic', user: '', password: 'x' }],
    ['UTF-8', basic('ada:päss'), { scheme: 'basic', user: 'ada', password: 'päss' }],
    ['any letter case', basic('a:b').replace('Basic', 'bAsIc'), { scheme: 'basic', user: 'a', password: 'b' }],
    ['a token', 'Bearer abc.def', { scheme: 'bearer', token: 'abc.def' }],
    ['no colon', basic('ada'), { scheme: 'unknown' }],
    ['no base64', 'Basic %%%', { scheme: 'unknown' }],
    ['nothing after the scheme', 'Bearer', { scheme: 'unknown' }],
    ['an empty header', '', { scheme: 'unknown' }],
    ['two tokens', 'Bearer a b', { scheme: 'unknown' }],
    ['another scheme', 'Digest username="x"', { scheme: 'unknown' }],
    ['another scheme in one word', 'Negotiate abc', { scheme: 'unknown' }],
  ];
  for (const [what, header, expected] of cases) {
    it(`reads ${what}`, () => {
      expect(parseAuthorization(header)).to.deep.equal(expected);
    });
  }
});

/** RFC 9110 §11.2 with quoted strings alone, which is all that we write. */
const CHALLENGE = /^[A-Za-z_]+ [a-z_]+="[^"\\]*"(?:, [a-z_]+="[^"\\]*")*$/;

describe('challengesOf', () => {
  const config = identitySchema.parse({
    issuers: [
      { name: 'egi', issuer: 'https://aai.egi.eu/auth/realms/egi', audience: 'any', groups: { accept: ['*'] } },
      { name: 'cadc', issuer: 'https://ac.example', audience: ['x'], groups: { accept: ['*'] }, tokens: { standardId: 'ivo://ivoa.net/sso#tls-with-password', accessUrl: 'https://ac.example/login?a="b' } },
    ],
    htpasswd: 'users',
  });

  it('has a challenge for everybody, in the grammar of RFC 9110', () => {
    const challenges = challengesOf(config, 'https://vo.example/p');
    expect(challenges).to.deep.equal([
      'Bearer realm="pratique", resource_metadata="https://vo.example/p/.well-known/oauth-protected-resource"',
      'ivoa_bearer standard_id="ivo://ivoa.net/sso#OpenID", access_url="https://aai.egi.eu/auth/realms/egi"',
      'ivoa_bearer standard_id="ivo://ivoa.net/sso#tls-with-password", access_url="https://ac.example/login?a=%22b"',
      'Basic realm="pratique", charset="UTF-8"',
    ]);
    for (const challenge of challenges) expect(challenge).to.match(CHALLENGE);
    expect(challengesOf(config, 'https://vo.example/p', 'invalid_token')[0]).to.match(/, error="invalid_token"$/).and.match(CHALLENGE);
  });

  it('says nothing of what is not configured', () => {
    const local = identitySchema.parse({ htpasswd: 'users' });
    expect(challengesOf(local, 'https://vo.example')).to.deep.equal(['Basic realm="pratique", charset="UTF-8"']);
    expect(securityMethodsOf(local)).to.deep.equal(['ivo://ivoa.net/sso#BasicAA']);
    expect(protectedResourceOf(local, 'https://vo.example')).to.equal(undefined);
    expect(securityMethodsOf(config)).to.deep.equal(['ivo://ivoa.net/sso#OAuth', 'ivo://ivoa.net/sso#OpenID', 'ivo://ivoa.net/sso#BasicAA']);
  });
});
