import { expect } from 'chai';
import { Readable } from 'node:stream';
import { IdentityGateway, IMAGES, People, PUBLIC_URL } from './identity-gateway.ts';

const QUESTION = `/accepts?tasktype=uri://docker-container&taskinfo.image=${IMAGES.open}`;
const JOB = '/uws/docker/11111111-1111-4111-8111-111111111111';

/** What browsers say of requests that a page of another site has them make. */
const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
const FRAME = { ...LINK, 'sec-fetch-dest': 'iframe' };
const PICTURE = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
const SIBLING = { ...PICTURE, 'sec-fetch-site': 'same-site' };
const SCRIPT = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', origin: 'https://evil.example' };
const SANDBOXED = { ...SCRIPT, origin: 'null' };

for (const origins of [[], ['*']]) {
  describe(`a remembered password and pages of other sites (cors.origins: ${JSON.stringify(origins)})`, () => {
    const files = new People({ ada: [] });
    const gateway = new IdentityGateway();
    before(() => gateway.start({ htpasswd: files.htpasswd }, { policy: 'rules: [{ name: open, images: ["registry.test/open/**"] }]', origins }));
    after(async () => {
      await gateway.stop();
      files.remove();
    });
    const authorization = People.authorization('ada');
    const status = async (path: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<number> => (await gateway.client.send(method, path, { headers: { authorization, ...headers } })).status;

    it('ask nothing: a question costs, and no registry hears of it', async () => {
      const before = gateway.judged.registry.asked.length;
      for (const [page, headers] of Object.entries({ LINK, FRAME, PICTURE, SIBLING, SCRIPT, SANDBOXED })) {
        for (const method of ['GET', 'HEAD']) expect([page, method, await status(QUESTION, headers, method), await status(QUESTION.replace('accepts', 'accept'), headers, method)]).to.deep.equal([page, method, 403, 403]);
      }
      expect(gateway.judged.registry.asked.length).to.equal(before);
    });

    it('read nothing but what a link leads to', async () => {
      const path = await gateway.stored({ owner: 'ada' });
      const events = `${path}/events`;
      for (const [page, headers] of Object.entries({ FRAME, PICTURE, SIBLING, SCRIPT, SANDBOXED })) {
        for (const target of ['/uws/docker', path, events, `${path}?WAIT=60`, `${path}/results/stdout`]) expect([page, target, await status(target, headers)]).to.deep.equal([page, target, 403]);
      }
      for (const target of ['/uws/docker', path, `${path}/phase`]) expect([target, await status(target, LINK)]).to.deep.equal([target, 200]);
      expect(await status(`${path}/phase`, LINK, 'DELETE')).to.equal(403);
    });

    it('reach what a job serves by its id, as the job\'s own pages do, but by no script', async () => {
      // 404 and not 403: that job is not there
      for (const headers of [LINK, FRAME, PICTURE]) expect(await status(`${JOB}/endpoints/main/8080/a.png`, headers)).to.equal(404);
      for (const headers of [SCRIPT, SANDBOXED]) expect(await status(`${JOB}/endpoints/main/8080/a.png`, headers)).to.equal(403);
      for (const headers of [LINK, PICTURE, SANDBOXED]) expect(await status(`${JOB}/endpoints/main/8080/`, headers, 'POST')).to.equal(403);
    });

    it('show a result by its signed link', async () => {
      const path = await gateway.stored({ owner: 'ada', phase: 'COMPLETED', startTime: 0, endTime: 0, results: [{ id: 'a.png', mediaType: 'image/png', size: 1, digest: `sha256:${'1'.repeat(64)}` }] });
      await gateway.jobs.results.write(path.split('/').at(-1) ?? '', 'a.png', Readable.from([Buffer.from('x')]), 10);
      const link = (await gateway.client.send('POST', `${path}/results/a.png`, { form: { LIFETIME: '1h' }, headers: { authorization } })).headers.location ?? '';
      expect(link).to.include('signature=');
      expect(await status(link, PICTURE)).to.equal(200);
      expect(await status(`${path}/results/a.png`, PICTURE)).to.equal(403);
    });

    it('are no hindrance to who comes from here, types the address, or is no browser', async () => {
      for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, { origin: new URL(PUBLIC_URL).origin }]) expect(await status(QUESTION, headers)).to.equal(200);
    });

    it('cost only themselves without a password', async () => {
      expect((await gateway.client.get(QUESTION, PICTURE)).status).to.equal(200);
    });
  });
}

describe('names of the gateway (DNS rebinding)', () => {
  const gateway = new IdentityGateway();
  before(() => gateway.start(undefined, { hosts: ['Gateway.Internal', 'gateway'] }));
  after(() => gateway.stop());

  it('answers to its own, to addresses and to localhost', async () => {
    const { port } = new URL(gateway.origin);
    for (const host of ['vo.example.org', 'VO.example.org.', 'vo.example.org:443', 'localhost', `localhost:${port}`, `127.0.0.1:${port}`, '10.1.2.3', '[::1]', `[::1]:${port}`, 'gateway.internal:80', 'gateway']) {
      expect([host, (await gateway.client.get('/availability', { host })).status]).to.deep.equal([host, 200]);
    }
  });

  it('is 421 to all others, whatever is asked for', async () => {
    for (const host of ['evil.example', 'evil.example:8080', 'vo.example.org.evil.example', 'xvo.example.org', 'localhost.evil.example', '127.0.0.1.evil.example', '[::1].evil.example', 'evil@localhost', 'localhost:x', '[x]']) {
      for (const [method, path] of [['GET', '/availability'], ['GET', '/uws/docker'], ['POST', '/uws/docker'], ['GET', '/accepts?tasktype=x'], ['OPTIONS', '/uws/docker'], ['GET', '/nothing']] as const) {
        const { status, text } = await gateway.client.send(method, path, { headers: { host } });
        expect([host, method, path, status]).to.deep.equal([host, method, path, 421]);
        expect(text).to.equal('Misdirected: this gateway is not called by the name in Host; its operator can add names (listen.hosts)\n');
      }
    }
  });
});
