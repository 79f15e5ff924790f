import { once } from 'node:events';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { FakeClock } from '../../support/fake-clock.ts';
import { IdentityGateway } from './identity-gateway.ts';
import { AUDIENCE, OidcIssuer, SHAPES } from './oidc-issuer.ts';

/** Begins now, as the provider's tokens do, and moves when told. */
const clock = new FakeClock(Date.now());
const gateway = new IdentityGateway(clock);
let issuer: OidcIssuer;

const GROUPS = { accept: ['urn:mace:egi.eu:group:*#aai.egi.eu', 'urn:geant:eduteams.org:*#eduteams.org', '/escape*'] };

describe('OIDC, with a real provider (execution-planner.md rows 39, 40)', () => {
  before(async () => {
    issuer = await OidcIssuer.start();
    await gateway.start({
      issuers: [{ name: 'egi', issuer: issuer.url, audience: [AUDIENCE], insecure: true, internal: true, groups: GROUPS }],
      operators: ['urn:mace:egi.eu:group:vespa:role=vm_operator#aai.egi.eu'],
    });
  });
  after(async () => {
    await gateway.stop();
    await issuer.stop();
  });

  const bearer = async (...args: Parameters<OidcIssuer['token']>): Promise<string> => `Bearer ${await issuer.token(...args)}`;

  for (const algorithm of ['RS256', 'ES256'] as const) {
    it(`knows the bearer of a token signed with ${algorithm}`, async () => {
      const token = await issuer.token('ada', SHAPES.egi, { audience: AUDIENCE, algorithm });
      expect(decodeProtectedHeader(token).alg).to.equal(algorithm);
      expect(decodeJwt(token).iss).to.equal(issuer.url);
      expect(await gateway.knows(`Bearer ${token}`)).to.equal('egi:ada');
    });
  }

  it('asks for metadata and keys once, however many ask at once', async () => {
    const token = await bearer('ada', SHAPES.egi, { audience: AUDIENCE });
    await Promise.all(Array.from({ length: 20 }, () => gateway.knows(token)));
    expect(issuer.asked.filter((path) => path === '/.well-known/openid-configuration')).to.have.length(1);
    expect(issuer.asked.filter((path) => path === '/jwks')).to.have.length(1);
  });

  it('reads the groups of EGI Check-in, eduTEAMS and ESCAPE IAM', async () => {
    expect(await gateway.groups(await bearer('e', SHAPES.egi, { audience: AUDIENCE }))).to.deep.equal(SHAPES.egi.eduperson_entitlement);
    expect(await gateway.groups(await bearer('t', SHAPES.eduteams, { audience: AUDIENCE }))).to.deep.equal(SHAPES.eduteams.eduperson_entitlement);
    expect(await gateway.groups(await bearer('i', SHAPES.iam, { audience: AUDIENCE }))).to.deep.equal(SHAPES.iam['wlcg.groups']);
  });

  it('takes from an issuer only the groups that it is believed', async () => {
    const claims = { groups: ['operators', 'urn:mace:egi.eu:group:vespa#evil.example'], 'wlcg.groups': ['/escape', '/cms'] };
    expect(await gateway.groups(await bearer('g', claims, { audience: AUDIENCE }))).to.deep.equal(['/escape']);
  });

  it('knows a service by its own token (client credentials, over HTTP)', async () => {
    expect(await gateway.knows(`Bearer ${await issuer.serviceToken(AUDIENCE)}`)).to.equal('egi:portal');
  });

  it('makes the identity the owner of its jobs (uws.md checklist 101)', async () => {
    const authorization = await bearer('ada', SHAPES.egi, { audience: AUDIENCE });
    const created = await gateway.client.post('/uws/docker', {}, { authorization });
    const owner = await gateway.client.get(`${gateway.client.pathOf(created.headers.location ?? '')}/owner`, { authorization });
    expect([owner.status, owner.text]).to.deep.equal([200, 'egi:ada']);
  });

  it('refuses a token for another service, and says so with a challenge (RFC 6750 §3.1)', async () => {
    const authorization = await bearer('ada', SHAPES.egi, { audience: 'https://elsewhere.example' });
    const answer = await gateway.client.get('/uws/docker', { authorization });
    expect(answer.status).to.equal(401);
    expect(answer.text).to.equal('Unauthenticated: the token is meant for another service\n');
    expect(answer.headers['www-authenticate']).to.match(/^Bearer realm="pratique", resource_metadata="[^"]+", error="invalid_token"/);
    expect(answer.headers).not.to.have.property('x-vo-authenticated');
  });

  it('refuses an opaque token where the site takes none', async () => {
    expect(await gateway.knows(await bearer('ada', SHAPES.egi))).to.equal('401 Unauthenticated: the token is not valid');
  });

  it('refuses a token after its end, and half a minute later than that is late', async () => {
    const authorization = await bearer('ada', SHAPES.egi, { audience: AUDIENCE });
    const expires = (decodeJwt(authorization.slice('Bearer '.length)).exp ?? 0) * 1000;
    const before = clock.now();
    clock.advance(expires + 25_000 - before);
    expect(await gateway.knows(authorization)).to.equal('egi:ada');
    clock.advance(10_000);
    expect(await gateway.knows(authorization)).to.equal('401 Unauthenticated: the token has expired');
    clock.advance(before - clock.now());
  });

  it('follows a rotation of the keys, and then takes none that was signed before', async () => {
    const old = await bearer('ada', SHAPES.egi, { audience: AUDIENCE });
    expect(await gateway.knows(old)).to.equal('egi:ada');
    await issuer.rotate();
    clock.advance(31_000);
    expect(await gateway.knows(await bearer('ada', SHAPES.egi, { audience: AUDIENCE }))).to.equal('egi:ada');
    expect(await gateway.knows(old)).to.match(/^401 /);
  });

  it('is not made to ask for keys by every kid that somebody invents', async () => {
    const asked = (): number => issuer.asked.filter((path) => path === '/jwks').length;
    const [header = '', payload, signature] = (await issuer.token('ada', SHAPES.egi, { audience: AUDIENCE })).split('.');
    const forged = (kid: string): string => {
      const changed = { ...(JSON.parse(Buffer.from(header, 'base64url').toString()) as object), kid };
      return `Bearer ${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${String(payload)}.${String(signature)}`;
    };
    clock.advance(31_000);
    const before = asked();
    for (let i = 0; i < 30; i += 1) expect(await gateway.knows(forged(`made-up-${String(i)}`))).to.match(/^401 /);
    expect(asked() - before).to.equal(1);
  });

  it('works on with the keys it has while the issuer is away, for a day', async () => {
    const authorization = await bearer('ada', SHAPES.egi, { audience: AUDIENCE });
    expect(await gateway.knows(authorization)).to.equal('egi:ada');
    const away = await OidcIssuer.start();
    const [token, lonely] = [await away.token('bob', SHAPES.egi, { audience: AUDIENCE }), new IdentityGateway(clock)];
    await lonely.start({ issuers: [{ name: 'away', issuer: away.url, audience: [AUDIENCE], insecure: true, internal: true }] });
    try {
      expect(await lonely.knows(`Bearer ${token}`)).to.equal('away:bob');
      await away.stop();
      clock.advance(11 * 60_000);
      expect(await lonely.knows(`Bearer ${token}`)).to.equal('away:bob');
      clock.advance(24 * 3_600_000);
      expect(await lonely.knows(`Bearer ${token}`)).to.match(/^503 Unavailable: the issuer away could not be asked/);
    } finally {
      clock.advance(-(24 * 3_600_000 + 11 * 60_000));
      await lonely.stop();
    }
  });
});

describe('OIDC with opaque tokens and userinfo', () => {
  const opaque = new IdentityGateway(clock);
  before(async () => {
    issuer = await OidcIssuer.start();
    await opaque.start({ issuers: [{ name: 'teams', issuer: issuer.url, audience: 'any', userinfo: 'opaque', subject: 'voperson_id', insecure: true, internal: true }] });
  });
  after(async () => {
    await opaque.stop();
    await issuer.stop();
  });

  const userinfos = (): number => issuer.asked.filter((path) => path === '/me').length;

  it('knows the bearer by what the issuer says, and asks once a minute', async () => {
    const authorization = `Bearer ${await issuer.token('ada', SHAPES.eduteams)}`;
    expect(await opaque.groups(authorization)).to.deep.equal(SHAPES.eduteams.eduperson_entitlement);
    await Promise.all(Array.from({ length: 20 }, () => opaque.knows(authorization)));
    expect(await opaque.knows(authorization)).to.equal('teams:6e1f@eduteams.org');
    expect(userinfos()).to.equal(1);
    clock.advance(61_000);
    expect(await opaque.knows(authorization)).to.equal('teams:6e1f@eduteams.org');
    expect(userinfos()).to.equal(2);
  });

  it('refuses a token that the issuer does not know, and remembers that for a while', async () => {
    const before = userinfos();
    for (let i = 0; i < 5; i += 1) expect(await opaque.knows('Bearer made-up')).to.equal('401 Unauthenticated: the issuer of the token does not vouch for it');
    expect(userinfos() - before).to.equal(1);
  });

  it('refuses a person whom the issuer gives no id', async () => {
    expect(await opaque.knows(`Bearer ${await issuer.token('bob', {})}`)).to.equal('401 Unauthenticated: the token does not say who is meant in the claim voperson_id');
  });
});

describe('a stream of who has a token', () => {
  it('ends when the token does, half a minute later at the latest', async () => {
    const now = new FakeClock(Date.now());
    const site = new IdentityGateway(now);
    const provider = await OidcIssuer.start();
    await site.start({ issuers: [{ name: 'egi', issuer: provider.url, audience: [AUDIENCE], insecure: true, internal: true, groups: GROUPS }] }, { jobsClock: now });
    try {
      const token = await provider.token('ada', SHAPES.egi, { audience: AUDIENCE });
      const path = await site.stored({ owner: 'egi:ada' });
      const response = await site.client.open('GET', `${path}/events`, { authorization: `Bearer ${token}` }, undefined);
      const ended = once(response.resume(), 'end');
      const end = ((decodeJwt(token).exp ?? 0) + 30) * 1000;
      await now.whenSleepingUntil(end);
      now.advance(end - now.now());
      await ended;
    } finally {
      await site.stop();
      await provider.stop();
    }
  });
});
