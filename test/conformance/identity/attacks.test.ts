import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { FakeClock } from '../../support/fake-clock.ts';
import { AUDIENCE, assembled, HostileIssuer } from './hostile-issuer.ts';
import { IdentityGateway } from './identity-gateway.ts';

const now = (): number => Math.floor(Date.now() / 1000);

describe('attacks with tokens (RFC 8725, RFC 7519)', () => {
  let issuer: HostileIssuer;
  let other: HostileIssuer;
  const gateway = new IdentityGateway();

  before(async () => {
    [issuer, other] = await Promise.all([HostileIssuer.start(), HostileIssuer.start()]);
    const common = { audience: [AUDIENCE], insecure: true, internal: true, groups: { accept: ['*'] } };
    await gateway.start({ issuers: [{ name: 'good', issuer: issuer.url, ...common }, { name: 'other', issuer: other.url, ...common }] });
  });
  after(async () => {
    await gateway.stop();
    await Promise.all([issuer.stop(), other.stop()]);
  });

  const honest = (claims: object = {}): object => ({ iss: issuer.url, aud: AUDIENCE, sub: 'ada', exp: now() + 600, ...claims });

  it('takes the honest token that every attack is a change of', async () => {
    expect(await gateway.knows(`Bearer ${await issuer.token()}`)).to.equal('good:ada');
  });

  /** Every way to be refused: what the token is, and what the answer says. */
  const attacks: readonly (readonly [string, () => Promise<string>, string])[] = [
    ['alg none', async () => assembled({ alg: 'none' }, honest()), 'an algorithm that is not accepted'],
    ['alg None, spelled otherwise', async () => assembled({ alg: 'nOnE', kid: 'one' }, honest()), 'an algorithm that is not accepted'],
    ['alg none with the signature of another token', async () => assembled({ alg: 'none' }, honest(), (await issuer.token()).split('.')[2]), 'an algorithm that is not accepted'],
    ['HS256 with the public key in PEM as the secret', async () => issuer.token({}, { alg: 'HS256' }, new TextEncoder().encode(await issuer.pem())), 'an algorithm that is not accepted'],
    ['HS256 with the modulus as the secret', async () => issuer.token({}, { alg: 'HS256' }, Buffer.from(issuer.keys[0]?.n ?? '', 'base64url')), 'an algorithm that is not accepted'],
    ['RS512, which is sound and not allowed', async () => issuer.token({}, { alg: 'RS512' }, (await generateKeyPair('RS512')).privateKey), 'an algorithm that is not accepted'],
    ['a foreign audience', async () => issuer.token({ aud: 'https://elsewhere.example' }), 'meant for another service'],
    ['no audience', async () => issuer.token({ aud: undefined }), 'meant for another service'],
    ['an audience of which ours is the beginning', async () => issuer.token({ aud: `${AUDIENCE}.evil.example` }), 'meant for another service'],
    ['an expired token', async () => issuer.token({ exp: now() - 60 }), 'has expired'],
    ['a token without an end', async () => issuer.token({ exp: undefined }), 'does not say when it expires'],
    ['an end that is no number', async () => issuer.token({ exp: 'never' }), 'does not say when it expires'],
    ['a token of tomorrow', async () => issuer.token({ nbf: now() + 3600 }), 'not valid yet'],
    ['the name of one issuer and the key of another', async () => other.token({ iss: issuer.url }), 'is not valid'],
    ['an issuer that is not known', async () => issuer.token({ iss: 'https://evil.example' }), 'an issuer that is not known'],
    ['the issuer with a slash more', async () => issuer.token({ iss: `${issuer.url}/` }), 'an issuer that is not known'],
    ['an issuer that is no text', async () => assembled({ alg: 'RS256', kid: 'one' }, { ...honest(), iss: { x: 1 } }, 'c2ln'), 'an issuer that is not known'],
    ['no issuer', async () => issuer.token({ iss: undefined }), 'an issuer that is not known'],
    ['a changed claim', async () => tampered(await issuer.token(), { sub: 'operator' }), 'is not valid'],
    ['no subject', async () => issuer.token({ sub: undefined }), 'does not say who is meant'],
    ['a subject with a line break', async () => issuer.token({ sub: 'ada\r\nX-VO-Authenticated: root' }), 'does not say who is meant'],
    ['a key of its own in the header (jwk)', async () => withOwnKey(), 'is not valid'],
    ['a place for keys in the header (jku)', async () => issuer.token({}, { jku: `${other.url}/jwks`, kid: 'unknown' }), 'is not valid'],
    ['a kid that climbs', async () => issuer.token({}, { kid: '../../../../dev/null' }), 'is not valid'],
    ['a kid that is SQL', async () => issuer.token({}, { kid: "x' UNION SELECT 'secret" }), 'is not valid'],
    ['a kid that is a property of every object', async () => issuer.token({}, { kid: '__proto__' }), 'is not valid'],
    ['a critical extension that is not understood', async () => assembled({ alg: 'RS256', kid: 'one', crit: ['exp2'], exp2: 1 }, honest(), 'c2ln'), 'is not valid'],
    ['a logout token', async () => issuer.token({}, { typ: 'logout+jwt' }), 'is no access token'],
    ['a refresh token of Keycloak\'s', async () => issuer.token({ typ: 'Refresh' }), 'is no access token'],
    ['an ID token of Keycloak\'s', async () => issuer.token({ typ: 'ID' }), 'is no access token'],
    ['a token bound to a key', async () => issuer.token({ cnf: { jkt: 'x' } }), 'is bound to a key'],
    ['a token of nothing', async () => '..', 'is not valid'],
    ['a token that is no JSON', async () => `${Buffer.from('x').toString('base64url')}.${Buffer.from('x').toString('base64url')}.x`, 'is not valid'],
    ['an encrypted token of five parts', async () => 'a.b.c.d.e', 'is not valid'],
    ['a JWT whose claims are a list', async () => `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('[]').toString('base64url')}.x`, 'is not valid'],
  ];
  for (const [what, token, says] of attacks) {
    it(`refuses ${what}`, async () => {
      const answer = await gateway.client.get('/uws/docker', { authorization: `Bearer ${await token()}` });
      expect(answer.text).to.match(/^Unauthenticated: [^\n]+\n$/).and.include(says);
      expect(answer.status).to.equal(401);
      expect(answer.headers['www-authenticate']).to.be.a('string').and.match(/^Bearer /);
      expect(answer.headers).not.to.have.property('x-vo-authenticated');
    });
  }

  it('has asked nobody that a token named', () => {
    expect(other.asked.filter(({ path }) => path === '/jwks')).to.have.length(0);
  });

  it('keeps people of two issuers with one subject apart', async () => {
    expect(await gateway.knows(`Bearer ${await other.token()}`)).to.equal('other:ada');
    const created = await gateway.client.post('/uws/docker', {}, { authorization: `Bearer ${await issuer.token()}` });
    const path = gateway.client.pathOf(created.headers.location ?? '');
    expect((await gateway.client.get(path, { authorization: `Bearer ${await other.token()}` })).status).to.equal(403);
  });

  async function withOwnKey(): Promise<string> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    return issuer.token({}, { jwk: await exportJWK(publicKey), kid: 'mine' }, privateKey);
  }

  function tampered(token: string, claims: object): string {
    const [header, , signature] = token.split('.');
    return `${String(header)}.${Buffer.from(JSON.stringify({ ...decodeJwt(token), ...claims })).toString('base64url')}.${String(signature)}`;
  }
});

describe('attacks by what an issuer answers', () => {
  const clock = new FakeClock(Date.now());
  let issuer: HostileIssuer;
  let gateway: IdentityGateway;

  beforeEach(async () => {
    issuer = await HostileIssuer.start();
    gateway = new IdentityGateway(clock);
  });
  afterEach(async () => {
    await gateway.stop();
    await issuer.stop();
  });

  const open = (more: object = {}): Promise<unknown> => gateway.start({ issuers: [{ name: 'good', issuer: issuer.url, audience: [AUDIENCE], insecure: true, internal: true, ...more }] });
  const knows = async (claims: Readonly<Record<string, unknown>> = {}): Promise<string> => gateway.knows(`Bearer ${await issuer.token(claims)}`);

  const documents: readonly (readonly [string, string, (issuer: HostileIssuer) => void])[] = [
    ['keys of ten megabytes', 'answers with more than', (it) => it.answer('/jwks', (_, response) => response.end(Buffer.alloc(10_000_000, '{')))],
    ['more keys than anybody has', 'cannot be used', (it) => it.json('/jwks', () => ({ keys: Array.from({ length: 101 }, (_, i) => ({ kty: 'RSA', kid: String(i) })) }))],
    ['keys that are no list', 'cannot be used', (it) => it.json('/jwks', () => ({ keys: { kty: 'RSA' } }))],
    ['keys that are no JSON', 'that is not JSON', (it) => it.answer('/jwks', (_, response) => response.end('<html>'))],
    ['status 500', 'status 500', (it) => it.answer('/jwks', (_, response) => response.writeHead(500).end())],
    ['a redirect to the metadata of a cloud', 'not an address that may be asked', (it) => it.answer('/jwks', (_, response) => response.writeHead(302, { location: 'https://169.254.169.254/latest' }).end())],
    ['keys at a private address', 'http, which is not allowed', (it) => it.json('/.well-known/openid-configuration', () => ({ issuer: it.url, jwks_uri: 'http://10.0.0.1/jwks' }))],
    ['metadata of another issuer', 'calls itself by another name', (it) => it.json('/.well-known/openid-configuration', () => ({ issuer: 'https://evil.example', jwks_uri: `${it.url}/jwks` }))],
    ['metadata without keys', 'cannot be used', (it) => it.json('/.well-known/openid-configuration', () => ({ issuer: it.url }))],
    ['a connection that is cut', 'broke off', (it) => it.answer('/jwks', (_, response) => response.destroy())],
  ];
  for (const [what, says, set] of documents) {
    it(`answers 503, with when to come again, to ${what}`, async () => {
      set(issuer);
      await open();
      const answer = await gateway.client.get('/uws/docker', { authorization: `Bearer ${await issuer.token()}` });
      expect(answer.text).to.match(/^Unavailable: the issuer good [^\n]+\n$/).and.include(says);
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([503, '10']);
      expect((await gateway.client.get('/uws/docker')).status).to.equal(200);
    });
  }

  it('gives up on keys that come a byte at a time, and answers others meanwhile', async () => {
    const dripping = new Set<NodeJS.Timeout>();
    issuer.answer('/jwks', (_, response) => {
      response.setHeader('Content-Type', 'application/json');
      dripping.add(setInterval(() => response.write(' '), 100));
    });
    await open();
    const waiting = knows();
    expect((await gateway.client.get('/uws/docker')).status).to.equal(200);
    expect(await waiting).to.equal('503 Unavailable: the issuer good could not be asked for its keys: ' + `${new URL(issuer.url).host} did not answer within 5 s`);
    for (const timer of dripping) clearInterval(timer);
  });

  it('leaves an issuer alone that has just failed', async () => {
    issuer.answer('/jwks', (_, response) => response.writeHead(500).end());
    await open();
    for (let i = 0; i < 20; i += 1) expect(await knows()).to.match(/^503 /);
    expect(issuer.asked.filter(({ path }) => path === '/jwks')).to.have.length(1);
    issuer.reset();
    clock.advance(5_000);
    expect(await knows()).to.equal('good:ada');
  });

  it('takes no symmetric key, no key for encryption and no key too short from the set', async () => {
    const secret = Buffer.alloc(32, 7);
    issuer.keys.push({ kty: 'oct', kid: 'hmac', alg: 'HS256', k: secret.toString('base64url') });
    issuer.keys.push({ ...issuer.keys[0], kid: 'enc', use: 'enc' });
    issuer.keys.push({ kty: 'RSA', kid: 'short', n: Buffer.alloc(64, 255).toString('base64url'), e: 'AQAB' });
    await open();
    const claims = { iss: issuer.url, aud: AUDIENCE, sub: 'ada', exp: now() + 600 };
    const unsigned = assembled({ alg: 'HS256', kid: 'hmac' }, claims).slice(0, -1);
    const forged = `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`;
    expect(await gateway.knows(`Bearer ${forged}`)).to.match(/^401 /);
    for (const kid of ['enc', 'short']) expect(await gateway.knows(`Bearer ${await issuer.token({}, { kid })}`)).to.equal('401 Unauthenticated: the token is not valid');
    expect(await knows()).to.equal('good:ada');
  });

  describe('userinfo', () => {
    it('adds groups to a verified token, with the token sent to nobody but the issuer', async () => {
      await open({ userinfo: 'groups' });
      expect(await gateway.groups(`Bearer ${await issuer.token({ groups: ['from-token'] })}`)).to.deep.equal(['from-token', 'from-userinfo']);
      expect(issuer.asked.filter(({ path }) => path === '/jwks' || path.startsWith('/.well')).map(({ authorization }) => authorization)).to.deep.equal([undefined, undefined]);
    });

    it('is not asked about a token that is not good', async () => {
      await open({ userinfo: 'groups' });
      expect(await knows({ aud: 'x' })).to.match(/^401 /);
      expect(issuer.asked.some(({ path }) => path === '/userinfo')).to.equal(false);
    });

    it('is refused when it speaks of somebody else', async () => {
      issuer.json('/userinfo', () => ({ sub: 'root', groups: ['operators'] }));
      await open({ userinfo: 'groups' });
      expect(await knows()).to.equal('401 Unauthenticated: the issuer speaks of somebody else than its token does');
    });

    it('does not take the token along to another place', async () => {
      const elsewhere = await HostileIssuer.start();
      issuer.answer('/userinfo', (_, response) => response.writeHead(302, { location: `${elsewhere.url}/userinfo` }).end());
      await open({ userinfo: 'groups' });
      expect(await knows()).to.match(/^503 /);
      expect(elsewhere.asked.map(({ authorization }) => authorization).filter((shown) => shown !== undefined)).to.deep.equal([]);
      await elsewhere.stop();
    });

    it('counts no longer than the token', async () => {
      await open({ userinfo: 'groups' });
      const authorization = `Bearer ${await issuer.token({ exp: Math.floor(clock.now() / 1000) + 5 })}`;
      expect(await gateway.knows(authorization)).to.equal('good:ada');
      clock.advance(40_000);
      expect(await gateway.knows(authorization)).to.equal('401 Unauthenticated: the token has expired');
    });

    it('is not flooded by tokens that somebody makes up', async () => {
      const held: ServerResponse[] = [];
      issuer.answer('/userinfo', (_, response) => held.push(response));
      await open({ audience: 'any', userinfo: 'opaque' });
      const answers: string[] = [];
      const asked = Array.from({ length: 40 }, async (_, i) => {
        answers.push(await gateway.knows(`Bearer made-up-${String(i)}`));
        if (answers.length === 24) for (const response of held) response.writeHead(401).end();
      });
      await Promise.all(asked);
      expect(answers.slice(0, 24).every((answer) => answer.startsWith('503 ') && answer.includes('is asked too much'))).to.equal(true);
      expect(answers.slice(24).every((answer) => answer.startsWith('401 '))).to.equal(true);
      expect(issuer.asked.filter(({ path }) => path === '/userinfo')).to.have.length(16);
    });
  });
});
