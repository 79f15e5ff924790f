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

  it('gives members of one federation\'s collaboration the name that another has for it', () => {
    const [EDUTEAMS, EGI] = ['urn:geant:eduteams.org:group:vespa#eduteams.org', 'urn:mace:egi.eu:group:vespa#aai.egi.eu'];
    const config = issuer({ groups: { accept: ['urn:geant:*', 'a'], also: [{ of: EDUTEAMS, is: EGI }, { of: EGI, is: 'operators' }, { of: 'b', is: 'c' }] } });
    const member = 'urn:geant:eduteams.org:group:vespa:role=member#eduteams.org';
    expect(groupsOf({ groups: [member] }, config)).to.deep.equal([member, EGI]);
    // neither who only reads alike, nor what the issuer is not believed, nor one conclusion from another
    for (const other of ['urn:geant:eduteams.org:group:vespa2#eduteams.org', 'urn:geant:eduteams.org:group:vespa:sub#eduteams.org', 'urn:geant:eduteams.org:group:vespa#evil']) expect(groupsOf({ groups: [other] }, config)).to.deep.equal([other]);
    expect(groupsOf({ groups: [EGI, 'b'] }, config)).to.deep.equal([]);
  });

  it('passes over what is no group', () => {
    expect(groupsOf({ groups: [1, null, {}, '', 'a\nb', 'ü', 'x'.repeat(3000), 'ok', 'ok'] }, issuer())).to.deep.equal(['ok']);
    for (const groups of [null, 7, {}, true]) expect(groupsOf({ groups }, issuer())).to.deep.equal([]);
  });

  it('takes a thousand at most', () => {
    expect(groupsOf({ groups: Array.from({ length: 5000 }, (_, i) => `g${String(i)}`) }, issuer())).to.have.length(1000);
  });
});
