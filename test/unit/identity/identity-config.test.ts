import { expect } from 'chai';
import { identitySchema, resolveIdentityPaths } from '../../../src/identity/identity-config.ts';

const ISSUER = { name: 'iam', issuer: 'https://iam.example/', audience: ['pratique'] };

function problems(value: unknown): readonly string[] {
  return (identitySchema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the section identity', () => {
  it('lets anonymous callers ask and not run, and takes no symmetric algorithm, when little is said', () => {
    const config = identitySchema.parse({ issuers: [ISSUER] });
    expect(config.anonymous).to.deep.equal({ ask: true, run: false, reasons: true });
    expect(config.issuers[0]?.algorithms).to.deep.equal(['RS256', 'ES256', 'PS256', 'EdDSA']);
    expect(config.issuers[0]?.userinfo).to.equal('never');
    expect(config.operators).to.deep.equal([]);
  });

  for (const algorithm of ['none', 'HS256', 'HS512', 'rs256', 'RSA1_5']) {
    it(`refuses the algorithm ${algorithm}`, () => {
      expect(problems({ issuers: [{ ...ISSUER, algorithms: [algorithm] }] })).to.have.length(1);
    });
  }

  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ['an unknown key', { issuers: [ISSUER], isuers: [] }, /Unrecognized key/],
    ['no way to log in', {}, /nobody could log in/],
    ['no audience', { issuers: [{ name: 'iam', issuer: 'https://iam.example/' }] }, /issuers\.0\.audience/],
    ['an empty audience', { issuers: [{ ...ISSUER, audience: [] }] }, /issuers\.0\.audience/],
    ['plain http', { issuers: [{ ...ISSUER, issuer: 'http://iam.example/' }] }, /must be https/],
    ['an issuer with a query', { issuers: [{ ...ISSUER, issuer: 'https://iam.example/?a=b' }] }, /no query/],
    ['an issuer with a password', { issuers: [{ ...ISSUER, issuer: 'https://a:b@iam.example/' }] }, /no query, fragment or user/],
    ['a name with a colon', { issuers: [{ ...ISSUER, name: 'a:b' }] }, /issuers\.0\.name/],
    ['opaque tokens with an audience', { issuers: [{ ...ISSUER, userinfo: 'opaque' }] }, /audience: any/],
    ['two of one name', { issuers: [{ ...ISSUER, groups: { accept: ['a'] } }, { ...ISSUER, issuer: 'https://b.example', groups: { accept: ['b'] } }] }, /issuers\.1\.name: is given twice/],
    ['two issuers that may say anything of groups', { issuers: [ISSUER, { ...ISSUER, name: 'b', issuer: 'https://b.example' }] }, /issuers\.1\.groups\.accept/],
    ['an issuer that could put people into local groups', { issuers: [ISSUER], htpasswd: { file: 'p', groups: 'g' } }, /issuers\.0\.groups\.accept/],
    [
      'two issuers of opaque tokens',
      { issuers: ['a', 'b'].map((name) => ({ name, issuer: `https://${name}.example`, audience: 'any', userinfo: 'opaque', groups: { accept: ['x'] } })) },
      /only one issuer can have opaque tokens/,
    ],
  ];
  for (const [what, value, message] of bad) {
    it(`refuses ${what}`, () => {
      expect(problems(value).join('\n')).to.match(message);
    });
  }

  it('makes every path absolute', () => {
    const config = identitySchema.parse({ issuers: [{ ...ISSUER, ca: 'ca.pem', groups: { accept: ['a'] } }], htpasswd: { file: 'users', groups: '/etc/groups' } });
    const resolved = resolveIdentityPaths(config, '/site');
    expect(resolved.issuers[0]?.ca).to.equal('/site/ca.pem');
    expect(resolved.htpasswd).to.deep.equal({ file: '/site/users', groups: '/etc/groups' });
    expect(resolveIdentityPaths(identitySchema.parse({ htpasswd: 'users' }), '/site').htpasswd?.file).to.equal('/site/users');
  });
});
