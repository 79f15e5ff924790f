import { once } from 'node:events';
import { expect } from 'chai';
import { hashSync } from 'bcryptjs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../support/fake-clock.ts';
import { schemaErrors, SCHEMAS } from '../../support/uws-schema.ts';
import { IdentityGateway, PUBLIC_URL } from './identity-gateway.ts';

const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('logging in (uws.md 1.10, checklist 100 to 103)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-htpasswd-'));
  const gateway = new IdentityGateway();

  before(async () => {
    writeFileSync(join(folder, 'users'), `ada:${hashSync('secret', 4)}\nbob:${hashSync('hidden', 4)}\n`);
    await gateway.start({
      realm: 'site',
      htpasswd: join(folder, 'users'),
      issuers: [{ name: 'egi', issuer: 'https://aai.egi.example/auth/realms/egi', audience: ['pratique'] }],
      anonymous: { run: true },
    });
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  it('knows a user by the password, in X-VO-Authenticated too', async () => {
    expect(await gateway.knows(basic('ada', 'secret'))).to.equal('ada');
  });

  it('102: takes empty credentials for anonymous, wrong ones for 401, never for anonymous', async () => {
    expect(await gateway.knows('Basic Og==')).to.equal('anonymous');
    for (const wrong of [basic('ada', 'x'), basic('eve', 'secret'), basic('ada', ''), basic('', 'secret'), 'Basic', 'Basic !', 'Digest username="ada"', 'Bearer', 'ada:secret', '']) {
      const answer = await gateway.client.get('/uws/docker', { authorization: wrong });
      expect([wrong, answer.status]).to.deep.equal([wrong, 401]);
      expect(answer.headers['www-authenticate']).to.include('Basic realm="site", charset="UTF-8"').and.include('ivoa_bearer standard_id=').and.match(/^Bearer /);
    }
  });

  it('has one challenge in each header', async () => {
    const response = await gateway.client.open('GET', '/uws/docker', { authorization: 'Bearer x' }, undefined);
    response.resume();
    const lines = response.rawHeaders.filter((_, i) => response.rawHeaders[i - 1]?.toLowerCase() === 'www-authenticate' && i % 2 === 1);
    expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(['Bearer', 'ivoa_bearer', 'Basic']);
  });

  it('100: answers 403 for somebody else\'s job, and hides it from the list', async () => {
    const created = await gateway.client.post('/uws/docker', {}, { authorization: basic('ada', 'secret') });
    const path = gateway.client.pathOf(created.headers.location ?? '');
    const bob = { authorization: basic('bob', 'hidden') };
    expect((await gateway.client.get(path, bob)).status).to.equal(403);
    expect((await gateway.client.get('/uws/docker', bob)).text).not.to.include(path.split('/').at(-1));
    expect((await gateway.client.get(path)).status).to.equal(403);
    expect((await gateway.client.get('/uws/docker', { authorization: basic('ada', 'secret') })).text).to.include(path.split('/').at(-1));
  });

  it('101: the owner is who has logged in, and nil where nobody has', async () => {
    for (const [authorization, owner] of [[basic('ada', 'secret'), 'ada'], ['Basic Og==', '']] as const) {
      const created = await gateway.client.post('/uws/docker', {}, { authorization });
      const path = gateway.client.pathOf(created.headers.location ?? '');
      expect((await gateway.client.get(`${path}/owner`, { authorization })).text).to.equal(owner);
      const document = (await gateway.client.get(path, { authorization })).text;
      expect(document).to.include(owner === '' ? '<uws:ownerId xsi:nil="true"/>' : `<uws:ownerId>${owner}</uws:ownerId>`);
    }
  });

  it('103: a page of another site cannot use what a browser has been told', async () => {
    const authorization = basic('ada', 'secret');
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      expect((await gateway.client.post('/uws/docker', {}, { authorization, ...headers })).status).to.equal(403);
    }
    expect((await gateway.client.post('/uws/docker', {}, { authorization, origin: new URL(PUBLIC_URL).origin })).status).to.equal(303);
  });

  it('tells in /capabilities how to log in: by challenges to who has not, by security methods to all (AuthVO, SSO 2.0)', async () => {
    const anonymous = await gateway.client.get('/capabilities');
    expect([anonymous.status, anonymous.headers['www-authenticate']?.startsWith('Bearer ')]).to.deep.equal([200, true]);
    const known = await gateway.client.get('/capabilities', { authorization: basic('ada', 'secret') });
    expect([known.status, known.headers['www-authenticate'], known.headers['x-vo-authenticated']]).to.deep.equal([200, undefined, 'ada']);
    expect((await gateway.client.send('HEAD', '/capabilities')).headers).to.have.property('www-authenticate');
    const methods = [...known.text.matchAll(/<securityMethod standardID="([^"]+)"\/>/g)].map(([, id]) => id);
    const each = ['ivo://ivoa.net/sso#OAuth', 'ivo://ivoa.net/sso#OpenID', 'ivo://ivoa.net/sso#BasicAA'];
    expect(methods, 'of both job lists').to.deep.equal([...each, ...each]);
    if (SCHEMAS !== undefined) expect(await schemaErrors([known.text])).to.equal('');
  });

  it('says where tokens come from (RFC 9728)', async () => {
    const { status, text, headers } = await gateway.client.get('/.well-known/oauth-protected-resource');
    expect([status, headers['content-type']]).to.deep.equal([200, 'application/json; charset=utf-8']);
    expect(JSON.parse(text)).to.deep.equal({
      resource: PUBLIC_URL,
      resource_name: 'site',
      authorization_servers: ['https://aai.egi.example/auth/realms/egi'],
      bearer_methods_supported: ['header'],
    });
  });
});

describe('browsers and passwords, where any page may use the gateway', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-htpasswd-'));
  const gateway = new IdentityGateway();

  before(async () => {
    writeFileSync(join(folder, 'users'), `ada:${hashSync('secret', 4)}\n`);
    await gateway.start({ htpasswd: join(folder, 'users'), anonymous: { run: true } }, { origins: ['*'] });
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  it('a page may send what needs no password, and no page may have one sent', async () => {
    const page = { origin: 'https://portal.example' };
    expect((await gateway.client.post('/uws/docker', {}, page)).status).to.equal(303);
    const authorization = basic('ada', 'secret');
    expect((await gateway.client.post('/uws/docker', {}, { ...page, authorization })).status).to.equal(403);
    expect((await gateway.client.post('/uws/docker', {}, { 'sec-fetch-site': 'cross-site', authorization })).status).to.equal(403);
    expect((await gateway.client.post('/uws/docker', {}, { origin: new URL(PUBLIC_URL).origin, authorization })).status).to.equal(303);
    expect((await gateway.client.post('/uws/docker', {}, { authorization })).status).to.equal(303);
  });
});

describe('a stream of who has logged in by password', () => {
  it('ends within a minute when the user is taken out of the file', async () => {
    const [now, folder] = [new FakeClock(), mkdtempSync(join(tmpdir(), 'pratique-htpasswd-'))];
    const line = (name: string): string => `${name}:${hashSync('secret', 4)}\n`;
    writeFileSync(join(folder, 'users'), line('ada') + line('bob'));
    const gateway = new IdentityGateway(now);
    await gateway.start({ htpasswd: join(folder, 'users') }, { jobsClock: now });
    try {
      const path = await gateway.stored({ owner: 'ada' });
      const response = await gateway.client.open('GET', `${path}/events`, { authorization: basic('ada', 'secret') }, undefined);
      const ended = once(response.resume(), 'end');
      writeFileSync(join(folder, 'users'), line('bob'));
      await now.whenSleepingUntil(now.now() + 60_000);
      now.advance(60_000);
      await ended;
    } finally {
      await gateway.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
