import { expect } from 'chai';
import { groupsOf, idOf } from '../../../src/identity/claims.ts';
import { identitySchema, type IssuerConfig } from '../../../src/identity/identity-config.ts';
import { TokenRefused } from '../../../src/identity/token-refused.ts';

function issuer(more: object = {}): IssuerConfig {
  const [config] = identitySchema.parse({ issuers: [{ name: 'egi', issuer: 'https://aai.example', audience: 'any', ...more }] }).issuers;
  if (config === undefined) throw new Error('no issuer');
  return config;
}

describe('idOf', () => {
  it('puts the name of the issuer before the subject', () => {
    expect(idOf({ sub: '7a6a@egi.eu' }, issuer())).to.equal('egi:7a6a@egi.eu');
    expect(idOf({ sub: 'x', voperson_id: 'y@egi.eu' }, issuer({ subject: 'voperson_id' }))).to.equal('egi:y@egi.eu');
  });

  for (const sub of [undefined, null, '', 7, ['a'], 'a b', 'a\nb', 'a\u0000', 'é', 'a'.repeat(256)]) {
    it(`refuses ${JSON.stringify(sub)?.slice(0, 20) ?? 'nothing'} as a subject`, () => {
      expect(() => idOf({ sub }, issuer())).to.throw(TokenRefused);
    });
  }
});

describe('groupsOf', () => {
  it('reads the claims of the federations', () => {
    const claims = { eduperson_entitlement: ['urn:a:b:group:c#d'], 'wlcg.groups': ['/escape', '/escape/cta'], groups: 'one' };
    expect(groupsOf(claims, issuer())).to.deep.equal(['urn:a:b:group:c#d', '/escape', '/escape/cta', 'one']);
  });

  it('reads a member of a member where the name is no claim itself', () => {
    const config = issuer({ groups: { claims: ['realm_access.roles'] } });
    expect(groupsOf({ realm_access: { roles: ['a'] } }, config)).to.deep.equal(['a']);
    expect(groupsOf({ 'realm_access.roles': ['b'], realm_access: { roles: ['a'] } }, config)).to.deep.equal(['b']);
    expect(groupsOf({}, issuer({ groups: { claims: ['constructor.name', '__proto__.x'] } }))).to.deep.equal([]);
  });

  it('takes only what the issuer is believed', () => {
    const config = issuer({ groups: { accept: ['urn:mace:egi.eu:group:*#aai.egi.eu', '/escape'] } });
    const claims = { groups: ['urn:mace:egi.eu:group:vespa#aai.egi.eu', 'urn:mace:egi.eu:group:vespa#evil', '/escape', '/escape/x', 'operators'] };
    expect(groupsOf(claims, config)).to.deep.equal(['urn:mace:egi.eu:group:vespa#aai.egi.eu', '/escape']);
  });

  it('passes over what is no group', () => {
    expect(groupsOf({ groups: [1, null, {}, '', 'a\nb', 'ü', 'x'.repeat(3000), 'ok', 'ok'] }, issuer())).to.deep.equal(['ok']);
    for (const groups of [null, 7, {}, true]) expect(groupsOf({ groups }, issuer())).to.deep.equal([]);
  });

  it('takes a thousand at most', () => {
    expect(groupsOf({ groups: Array.from({ length: 5000 }, (_, i) => `g${String(i)}`) }, issuer())).to.have.length(1000);
  });
});
