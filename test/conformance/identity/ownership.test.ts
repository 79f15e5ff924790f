import { expect } from 'chai';
import { Readable } from 'node:stream';
import type { Answer } from '../../support/http-client.ts';
import { IdentityGateway, IMAGES, People } from './identity-gateway.ts';

const people = { ada: ['team'], bob: ['urn:mace:egi.eu:group:vespa:role=member#aai.egi.eu', 'friends'], carl: ['friends2'], olga: ['operators'] };
const as = (name: string): { authorization: string } => ({ authorization: People.authorization(name) });
const [ada, bob, carl, olga] = ['ada', 'bob', 'carl', 'olga'].map(as) as [ReturnType<typeof as>, ReturnType<typeof as>, ReturnType<typeof as>, ReturnType<typeof as>];

describe('sharing, operators and links', () => {
  const files = new People(people);
  const gateway = new IdentityGateway();
  before(() => gateway.start({ htpasswd: files.htpasswd, operators: ['operators'] }));
  after(async () => {
    await gateway.stop();
    files.remove();
  });

  const status = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => (await gateway.client.get(path, headers)).status;

  /** A finished job of ada's with a result. */
  async function finished(): Promise<string> {
    const path = await gateway.stored({ owner: 'ada', phase: 'COMPLETED', startTime: 0, endTime: 0, results: [{ id: 'dir/a b.txt', mediaType: 'text/plain', size: 5, digest: `sha256:${'0'.repeat(64)}` }, { id: 'secret', mediaType: 'text/plain', size: 1, digest: `sha256:${'1'.repeat(64)}` }] });
    const id = path.split('/').at(-1) ?? '';
    await gateway.jobs.results.write(id, 'dir/a b.txt', Readable.from([Buffer.from('hello')]), 10);
    await gateway.jobs.results.write(id, 'secret', Readable.from([Buffer.from('x')]), 10);
    return path;
  }

  it('a job is read by the groups it is shared with, and by no others, until it is shared no more', async () => {
    const path = await finished();
    expect([await status(path, bob), await status(path, carl)]).to.deep.equal([403, 403]);
    expect((await gateway.client.post(`${path}/sharing`, [['GROUP', 'friends'], ['group', 'others']], ada)).status).to.equal(303);
    expect([await status(path, bob), await status(path, carl), await status(`${path}/results/secret`, bob)]).to.deep.equal([200, 403, 200]);
    expect((await gateway.client.get(`${path}/sharing`, bob)).text).to.equal('friends\nothers');
    expect(JSON.parse((await gateway.client.get(path, { ...ada, accept: 'application/json' })).text)).to.have.nested.property('jobInfo.sharedWith').deep.equal(['friends', 'others']);
    expect((await gateway.client.post(`${path}/sharing`, { GROUP: '' }, ada)).status).to.equal(303);
    expect([await status(path, bob), await status(path, ada)]).to.deep.equal([403, 200]);
  });

  it('sharing is by JSON too, and not by what is no group', async () => {
    const path = await finished();
    const json = (body: unknown): Promise<number> => gateway.client.send('POST', `${path}/sharing`, { json: body, headers: ada }).then((answer) => answer.status);
    expect(await json({ group: ['friends'] })).to.equal(303);
    expect((await gateway.client.get(`${path}/sharing`, { ...ada, accept: 'application/json' })).text).to.equal('["friends"]');
    expect(await json({ group: [] })).to.equal(303);
    expect((await gateway.client.get(`${path}/sharing`, ada)).text).to.equal('');
    for (const bad of [{}, { group: 'a' }, { groups: ['a'] }, { group: ['a\nb'] }, { group: Array(51).fill(0).map((_, i) => String(i)) }]) expect([bad, await json(bad)]).to.deep.equal([bad, 400]);
    for (const bad of [{}, { GROUP: 'a\u0000' }, { GROUP: 'ü' }, { USER: 'bob' }]) expect((await gateway.client.post(`${path}/sharing`, bad, ada)).status).to.equal(400);
  });

  it('a shared job is in nobody\'s list but its owner\'s', async () => {
    const path = await gateway.stored({ owner: 'ada', sharedWith: ['friends'] });
    const id = path.split('/').at(-1) ?? '';
    for (const [caller, there] of [[ada, true], [bob, false], [olga, false]] as const) expect((await gateway.client.get('/uws/docker', caller)).text.includes(id)).to.equal(there);
  });

  it('operators list the jobs of everybody when they ask for it, others never', async () => {
    const path = await gateway.stored({ owner: 'ada' });
    expect((await gateway.client.get('/uws/docker?OWNER=*', olga)).text).to.include(path.split('/').at(-1));
    for (const caller of [ada, bob, {}]) expect(await status('/uws/docker?OWNER=*', caller)).to.equal(403);
    expect((await gateway.client.send('HEAD', '/uws/docker?OWNER=*', { headers: ada })).status).to.equal(403);
    expect(await status('/uws/docker?OWNER=ada', olga)).to.equal(400);
  });

  it('operators abort with a message, which the owner reads as the error', async () => {
    const path = await gateway.stored({ owner: 'ada', phase: 'QUEUED', task: null });
    expect((await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT', MESSAGE: 'mining <coins> is not science' }, olga)).status).to.equal(303);
    expect((await gateway.client.get(`${path}/phase`, ada)).text).to.equal('ABORTED');
    expect((await gateway.client.get(`${path}/error`, ada)).text).to.include('aborted by an operator of this site: mining <coins> is not science');
    expect((await gateway.client.get(path, ada)).text).to.include('mining &lt;coins&gt;');
  });

  it('an abort without a word says who it was, unless it was the owner', async () => {
    const [first, second, third] = [await gateway.stored({ owner: 'ada' }), await gateway.stored({ owner: 'ada' }), await gateway.stored({ owner: 'ada' })];
    await gateway.client.post(`${first}/phase`, { PHASE: 'ABORT' }, olga);
    expect((await gateway.client.get(`${first}/error`, ada)).text).to.include('aborted by an operator of this site');
    await gateway.client.post(`${second}/phase`, { PHASE: 'ABORT' }, ada);
    expect(await status(`${second}/error`, ada)).to.equal(404);
    await gateway.client.post(`${third}`, { PHASE: 'ABORT', MESSAGE: 'wrong input' }, ada);
    expect((await gateway.client.get(`${third}/error`, ada)).text).to.include('aborted: wrong input');
  });

  it('a message goes with an abort only, and is of some length', async () => {
    const path = await gateway.stored({ owner: 'ada' });
    const post = async (fields: Record<string, string>): Promise<number> => (await gateway.client.post(`${path}/phase`, fields, ada)).status;
    expect(await post({ PHASE: 'RUN', MESSAGE: 'x' })).to.equal(400);
    expect(await post({ PHASE: 'ABORT', MESSAGE: 'x'.repeat(501) })).to.equal(400);
    expect(await post({ PHASE: 'ABORT', MESSAGE: '\u0001' })).to.equal(400);
    expect((await gateway.client.get(`${path}/phase`, ada)).text).to.equal('PENDING');
  });

  describe('links', () => {
    async function linkTo(path: string, fields: Record<string, string> = {}): Promise<string> {
      const answer = await gateway.client.post(`${path}/results/dir/a%20b.txt`, fields, ada);
      expect(answer.status).to.equal(201);
      expect(answer.text).to.equal(answer.headers.location);
      return gateway.client.pathOf(answer.text);
    }

    it('open one result to everybody who has them, in every way a result can be read', async () => {
      const link = await linkTo(await finished());
      const answer = await gateway.client.get(link);
      expect([answer.status, answer.text, answer.headers['content-disposition']?.startsWith('attachment')]).to.deep.equal([200, 'hello', true]);
      expect(answer.headers).not.to.have.property('x-vo-authenticated');
      expect(await status(link, carl)).to.equal(200);
      expect((await gateway.client.get(link, { range: 'bytes=1-2' })).text).to.equal('el');
      expect((await gateway.client.send('HEAD', link)).status).to.equal(200);
    });

    it('open nothing else', async () => {
      const path = await finished();
      const link = await linkTo(path);
      const query = link.slice(link.indexOf('?'));
      const other = await finished();
      for (const elsewhere of [path, `${path}/results`, `${path}/parameters`, `${path}/phase`, '/uws/docker?OWNER=*']) {
        const joined = elsewhere.includes('?') ? `${elsewhere}&${query.slice(1)}` : elsewhere + query;
        expect([elsewhere, await status(joined)]).to.deep.equal([elsewhere, 403]);
      }
      expect(await status(`${path}/results/secret${query}`)).to.equal(403);
      expect(await status(`${other}/results/dir/a%20b.txt${query}`)).to.equal(403);
      expect((await gateway.client.post(link, {})).status).to.equal(403);
      expect((await gateway.client.delete(path + query)).status).to.equal(403);
    });

    it('end when they say, and cannot be made to last', async () => {
      const link = await linkTo(await finished(), { LIFETIME: '1h' });
      const expires = Number(/expires=(\d+)/.exec(link)?.[1]);
      expect(expires * 1000 - gateway.jobs.clock.now()).to.equal(3_600_000);
      const later = link.replace(String(expires), String(expires + 3600));
      const tampered = [later, link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), link.replace(/signature=.*/, 'signature='), link.replace(/signature=.*/, 'signature=%00'), link.replace(/expires=\d+/, 'expires=1e99'), link.replace(/expires=\d+&/, ''), `${link}&signature=x`];
      for (const forged of tampered) expect([forged, (await status(forged)) >= 400]).to.deep.equal([forged, true]);
      const { clock } = gateway.jobs as unknown as { clock: { advance(milliseconds: number): void } };
      clock.advance(3_599_000);
      expect(await status(link)).to.equal(200);
      clock.advance(1_000);
      expect((await gateway.client.get(link)).text).to.equal('Forbidden: the link has expired\n');
      clock.advance(-3_600_000);
    });

    it('end with their job', async () => {
      const path = await finished();
      const link = await linkTo(path);
      await gateway.client.send('DELETE', path, { headers: ada });
      expect(await status(link)).to.equal(404);
    });

    it('are for who has no credentials, not for who has wrong ones', async () => {
      expect(await status(await linkTo(await finished()), { authorization: People.authorization('ada', 'x') })).to.equal(401);
    });

    it('are told in JSON too, for a day where nobody says', async () => {
      const path = await finished();
      const answer = await gateway.client.send('POST', `${path}/results/secret`, { json: {}, headers: { ...ada, accept: 'application/json' } });
      const { href, expires } = JSON.parse(answer.text) as { href: string; expires: string };
      expect([answer.status, answer.headers.location]).to.deep.equal([201, href]);
      expect(Date.parse(expires) - gateway.jobs.clock.now()).to.equal(86_400_000);
    });

    it('are not made for what is not there, not whole, or for ever', async () => {
      const path = await finished();
      const post = async (result: string, fields: Record<string, string> = {}, job = path): Promise<number> => (await gateway.client.post(`${job}/results/${result}`, fields, ada)).status;
      expect(await post('nothing')).to.equal(404);
      expect(await post('stdout', {}, await gateway.stored({ owner: 'ada', phase: 'EXECUTING', startTime: 0, results: [{ id: 'stdout', mediaType: 'text/plain' }] }))).to.equal(403);
      for (const LIFETIME of ['0', '-1', '31d', 'P1Y', 'soon', '']) expect([LIFETIME, await post('secret', { LIFETIME })]).to.deep.equal([LIFETIME, 400]);
      expect(await post('secret', { LIFETIM: '1h' })).to.equal(400);
    });
  });
});

describe('quotas over HTTP', () => {
  const files = new People(people);
  const gateway = new IdentityGateway();
  before(() => gateway.start({ htpasswd: files.htpasswd }, { quotas: { owner: { running: 1, queued: 1, jobs: 4, questions: 100 }, tiers: [{ groups: ['friends'], questions: 2 }] } }));
  after(async () => {
    await gateway.stop();
    files.remove();
  });

  it('one job runs, one waits without holding others up, the next is 429 with when to come again', async () => {
    const run = (caller: { authorization: string }): ReturnType<typeof gateway.client.post> => gateway.client.post('/uws/docker', { IMAGE: IMAGES.open, PHASE: 'RUN' }, caller);
    const idOf = (answer: Answer): string => (answer.headers.location ?? '').split('/').at(-1) ?? '';
    const first = idOf(await run(ada));
    await gateway.jobs.inPhase(first, 'EXECUTING');
    const second = idOf(await run(ada));
    const third = await run(ada);
    expect([third.status, third.headers['retry-after'], third.text]).to.deep.equal([429, '30', 'TooManyRequests: you have 1 jobs waiting, and 1 is the most; try again in 30 s\n']);
    await gateway.jobs.inPhase(idOf(await run(carl)), 'EXECUTING');
    expect((await gateway.jobs.store.get(second))?.phase).to.equal('QUEUED');
    gateway.jobs.engine.finish(first);
    await gateway.jobs.inPhase(second, 'EXECUTING');
    const pending = await gateway.client.post('/uws/docker', { IMAGE: IMAGES.open }, ada);
    const waiting = idOf(await run(ada));
    expect((await gateway.client.post(`/uws/docker/${idOf(pending)}/phase`, { PHASE: 'RUN' }, ada)).status).to.equal(429);
    expect((await gateway.jobs.store.get(idOf(pending)))?.phase).to.equal('PENDING');
    const fifth = await gateway.client.post('/uws/docker', {}, ada);
    expect([fifth.status, fifth.text]).to.deep.equal([403, 'Forbidden: you have 4 jobs, and 4 is the most that are kept; delete some\n']);
    await gateway.client.send('DELETE', `/uws/docker/${waiting}`, { headers: ada });
    expect((await gateway.client.post('/uws/docker', {}, ada)).status).to.equal(303);
  });

  it('questions and judgements are counted together', async () => {
    const ask = (): ReturnType<typeof gateway.client.get> => gateway.client.get('/accepts?tasktype=uri://docker-container', bob);
    expect((await ask()).status).to.equal(200);
    expect((await gateway.client.post('/uws/docker', { IMAGE: IMAGES.open }, bob)).status).to.equal(303);
    const third = await ask();
    expect([third.status, third.headers['retry-after']]).to.deep.equal([429, '30']);
    expect((await gateway.client.post('/uws/docker', {}, bob)).status).to.equal(429);
    expect((await gateway.client.get('/uws/docker', bob)).status).to.equal(200);
  });
});
