import { expect } from 'chai';
import { child, parseXml } from '../../support/uws-documents.ts';
import { richJob } from '../../support/rich-jobs.ts';
import { expectRefused, IMAGE, idOf, uwsGateway } from './uws-gateway.ts';

const ATOMS = ['phase', 'quote', 'executionduration', 'destruction', 'owner'] as const;
const CHILDREN = [...ATOMS, 'error', 'results', 'parameters'] as const;
const CHANGEABLE = ['phase', 'executionduration', 'destruction', 'parameters'];

describe('UWS 1.1 §2.2.2.3 the children of a job', () => {
  const gateway = uwsGateway({ execution: { offer: async () => ({ slots: 0, cores: 0, memory: 0 }) } });
  let path = '';
  before(async () => (path = await gateway.stored(richJob('ERROR', gateway.clock.now()))));

  it('56 [S] atoms are text/plain without a newline', async () => {
    for (const name of ATOMS) {
      const answer = await gateway.client.get(`${path}/${name}`);
      expect([answer.status, answer.headers['content-type']], name).to.deep.equal([200, 'text/plain; charset=utf-8']);
      expect(answer.text, name).to.not.match(/[\r\n]/);
    }
  });

  it('59 [D] 5.5 /error is 404 unless the job has failed, else 200 with the detail', async () => {
    const answer = await gateway.client.get(`${path}/error`);
    expect([answer.status, answer.text, answer.headers['content-type']]).to.deep.equal([200, 'the end of stderr', 'text/plain; charset=utf-8']);
    for (const phase of ['PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED'] as const) expectRefused(await gateway.client.get(`${await gateway.stored({ phase })}/error`), 404);
    const aborted = await gateway.stored({ phase: 'ABORTED', error: { type: 'fatal', message: 'over its limit' } });
    expect((await gateway.client.get(`${aborted}/error`)).text).to.equal('over its limit');
  });

  it('60 [R] 5.5 /results and /parameters are 200 also when empty', async () => {
    const empty = await gateway.create({});
    for (const name of ['results', 'parameters']) {
      const answer = await gateway.client.get(`${empty}/${name}`);
      expect([answer.status, (await parseXml(answer.text)).children]).to.deep.equal([200, []]);
    }
  });

  it('62 [M] 63 [R] 5.3 DELETE, PUT and PATCH on children, POST on those that are read only, are 405 with Allow', async () => {
    for (const name of CHILDREN) {
      const allow = CHANGEABLE.includes(name) ? 'GET, HEAD, POST, OPTIONS' : 'GET, HEAD, OPTIONS';
      for (const method of ['DELETE', 'PUT', 'PATCH', ...(CHANGEABLE.includes(name) ? [] : ['POST'])]) {
        const answer = await gateway.client.send(method, `${path}/${name}`);
        expectRefused(answer, 405);
        expect(answer.headers.allow, `${method} ${name}`).to.equal(allow);
      }
    }
    for (const rest of ['/results/stdout', '/parameters/IMAGE']) expect((await gateway.client.delete(path + rest)).status).to.equal(405);
    for (const method of ['PUT', 'PATCH']) {
      const answer = await gateway.client.send(method, path);
      expectRefused(answer, 405);
      expect(answer.headers.allow).to.equal('GET, HEAD, POST, DELETE, OPTIONS');
    }
    expect((await gateway.client.get(path)).status).to.equal(200);
  });

  it('64 [P] 5.3 GET phase?PHASE=ABORTED changes nothing (Firefly)', async () => {
    const pending = await gateway.create();
    for (const phase of ['ABORTED', 'ABORT', 'RUN', 'bogus']) {
      const answer = await gateway.client.get(`${pending}/phase?PHASE=${phase}`);
      expect([answer.status, answer.text]).to.deep.equal([200, 'PENDING']);
    }
  });

  it('answers OPTIONS with what is possible', async () => {
    const answer = await gateway.client.send('OPTIONS', `${path}/phase`);
    expect([answer.status, answer.headers.allow]).to.deep.equal([204, 'GET, HEAD, POST, OPTIONS']);
  });

  it('5.3 unknown ids of every kind -> 404', async () => {
    const ids = ['nobody', 'a%20b', 'x'.repeat(5000), '..', '%2e%2e', '%00', '%2F', '..%2f..%2fetc%2fpasswd', '%C3%BC', "'%20OR%201=1--", '__proto__', '*', '&lt;x&gt;'];
    for (const id of ids) {
      for (const rest of ['', '/phase', '/results/stdout']) expect((await gateway.client.get(`/uws/docker/${id}${rest}`)).status, id + rest).to.equal(404);
    }
  });

  it('5.3 a percent escape that is none -> 400', async () => {
    for (const id of ['%ZZ', '%', '%F', '%FF', '%C3%28']) expectRefused(await gateway.client.get(`/uws/docker/${id}`), 400);
    expectRefused(await gateway.client.get(`${path}/results/%ZZ`), 400);
  });

  it('5.3 unknown children and wrong letter case -> 404', async () => {
    for (const rest of ['/foo', '/phase/x', '/Phase', '/EXECUTIONDURATION', '/executionDuration', '/jobInfo', '//phase', '/parameters/NOTHING', '/results/nothing']) {
      expect((await gateway.client.get(path + rest)).status, rest).to.equal(404);
      expect((await gateway.client.send('POST', path + rest)).status, rest).to.be.oneOf([404, 405]);
    }
    for (const other of ['/UWS/docker', '/uws/Docker', '/uws', '/uws/compose/x']) expect((await gateway.client.get(other)).status).to.equal(404);
  });

  it('5.3 a slash at the end -> as without, no redirect', async () => {
    for (const rest of ['', ...CHILDREN.map((name) => `/${name}`), '/parameters/IMAGE']) {
      const [with_, without] = [await gateway.client.get(`${path}${rest}/`), await gateway.client.get(path + rest)];
      expect([with_.status, with_.text], rest).to.deep.equal([without.status, without.text]);
    }
    const pending = await gateway.create();
    expect((await gateway.client.post(`${pending}/phase/`, { PHASE: 'ABORT' })).status).to.equal(303);
    expect(await gateway.phase(pending)).to.equal('ABORTED');
  });

  it('5.3 Accept: text/html -> HTML, image/png -> XML, never 406', async () => {
    expect((await gateway.client.get(path, { accept: 'text/html' })).headers['content-type']).to.match(/^text\/html/);
    for (const accept of ['image/png', 'application/x-votable+xml', 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', 'application/json;q=0', 'application/json, application/xml', 'text/xml;q=0.5, application/json;q=0.5']) {
      const answer = await gateway.client.get(path, { accept });
      expect([answer.status, answer.headers['content-type']], accept).to.deep.equal([200, 'text/xml; charset=utf-8']);
    }
  });

  it('5.3 method override headers -> ignored', async () => {
    const pending = await gateway.create();
    for (const header of ['x-http-method-override', 'x-http-method', 'x-method-override']) expect((await gateway.client.get(pending, { [header]: 'DELETE' })).status).to.equal(200);
    expect((await gateway.client.get(pending)).status).to.equal(200);
  });
});

describe('UWS 1.1 §2.2.2.3 results', () => {
  const gateway = uwsGateway();
  let path = '';
  before(async () => {
    path = await gateway.executing();
    gateway.engine.finish(idOf(path), { stdout: '0123456789', files: { 'sub/ü &.txt': 'x', 'page.html': '<script>alert(1)</script>' } });
    await gateway.reaches(path, 'COMPLETED');
  });
  const range = (value: string, headers: Readonly<Record<string, string>> = {}) => gateway.client.get(`${path}/results/stdout`, { range: value, ...headers });

  it('61 [D] every result can be read below /results', async () => {
    const list = child(await parseXml((await gateway.client.get(path)).text), 'uws:results').children;
    expect(list).to.have.length(4);
    for (const { attributes } of list) {
      expect(attributes['xlink:href']).to.match(new RegExp(`${path}/results/`));
      expect((await gateway.client.get(attributes['xlink:href'] ?? '')).status, attributes.id).to.equal(200);
    }
    expect((await gateway.client.get(`${path}/results/sub/%C3%BC%20%26.txt`)).text).to.equal('x');
  });

  it('50 [M] ids are unique, also of files that have the names of the gateway\'s own results', async () => {
    const other = await gateway.executing();
    gateway.engine.finish(idOf(other), { stdout: 'log', files: { 'output/output/stdout': 'c', 'output/stdout': 'b', stdout: 'a', endpoints: 'd', 'output/endpoints': 'e' } });
    await gateway.reaches(other, 'COMPLETED');
    const list = child(await parseXml((await gateway.client.get(other)).text), 'uws:results').children;
    const read = await Promise.all(list.map(async ({ attributes }) => [attributes.id, (await gateway.client.get(attributes['xlink:href'] ?? '')).text]));
    expect(Object.fromEntries(read)).to.deep.equal({
      stdout: 'log', stderr: '', 'output/output/stdout': 'c', 'output/stdout': 'b', 'output/output/output/stdout': 'a', 'output/endpoints': 'd', 'output/output/endpoints': 'e',
    });
    expect(list).to.have.length(7);
  });

  it('111 [R] 5.5 unknown ids and paths that lead elsewhere -> 404', async () => {
    for (const id of ['nothing', '../../etc/passwd', '..%2f..%2fetc%2fpasswd', '%2e%2e/%2e%2e/etc/passwd', 'sub%2F%C3%BC%20%26.txt', 'sub/', 'sub', '%00', 'stdout/x', '/stdout', './stdout', 'sub/../stdout']) {
      expect((await gateway.client.get(`${path}/results/${id}`)).status, id).to.equal(404);
    }
  });

  it('5.5 a result that has vanished from the store -> 404', async () => {
    const other = await gateway.stored({ phase: 'COMPLETED', results: [{ id: 'gone', mediaType: 'text/plain', size: 5 }] });
    expectRefused(await gateway.client.get(`${other}/results/gone`), 404);
  });

  it('5.5 a good Range -> 206 with exactly these bytes', async () => {
    for (const [asked, bytes, told] of [['bytes=0-3', '0123', 'bytes 0-3/10'], ['bytes=4-', '456789', 'bytes 4-9/10'], ['bytes=-2', '89', 'bytes 8-9/10'], ['bytes=8-100', '89', 'bytes 8-9/10'], ['bytes=-100', '0123456789', 'bytes 0-9/10']] as const) {
      const answer = await range(asked);
      expect([answer.status, answer.text, answer.headers['content-range'], answer.headers['content-length']], asked).to.deep.equal([206, bytes, told, String(bytes.length)]);
    }
  });

  it('5.5 a Range beyond the end -> 416', async () => {
    for (const asked of ['bytes=10-', 'bytes=10-20', 'bytes=-0']) {
      const answer = await range(asked);
      expectRefused(answer, 416);
      expect(answer.headers['content-range'], asked).to.equal('bytes */10');
    }
  });

  it('5.5 a Range that is none, several, or of another version -> the whole', async () => {
    for (const asked of ['bytes=5-2', 'lines=1-2', 'bytes=a-b', 'bytes=0-1,3-4', 'bytes=-']) expect((await range(asked)).status, asked).to.equal(200);
    expect((await range('bytes=0-1', { 'if-range': '"other"' })).status).to.equal(200);
    const { etag = '' } = (await gateway.client.get(`${path}/results/stdout`)).headers;
    expect((await range('bytes=0-1', { 'if-range': etag })).status).to.equal(206);
    expect((await gateway.client.get(`${path}/results/stdout`, { 'if-none-match': `"x", ${etag}` })).status).to.equal(304);
  });

  it('HEAD tells the size and sends nothing', async () => {
    const answer = await gateway.client.send('HEAD', `${path}/results/stdout`);
    expect([answer.status, answer.headers['content-length'], answer.text]).to.deep.equal([200, '10', '']);
  });

  it('is served so that no browser runs it', async () => {
    const { headers } = await gateway.client.get(`${path}/results/page.html`);
    expect(headers['content-disposition']).to.match(/^attachment/);
    expect(headers['x-content-type-options']).to.equal('nosniff');
    expect(headers['content-security-policy']).to.include('sandbox');
  });
});

describe('UWS 1.1 §2.2.2.3 results of a job that runs', () => {
  const gateway = uwsGateway();

  it('stdout can be read while it grows, and from where one stopped', async () => {
    const path = await gateway.executing({ IMAGE });
    const get = (range?: string) => gateway.client.get(`${path}/results/stdout`, range === undefined ? {} : { range });
    expect([(await get()).status, (await get()).text]).to.deep.equal([200, '']);
    expect((await get('bytes=0-')).status).to.equal(416);
    gateway.engine.write(idOf(path), 'stdout', 'first ');
    expect((await get()).text).to.equal('first ');
    gateway.engine.write(idOf(path), 'stdout', 'second');
    const next = await get('bytes=6-');
    expect([next.status, next.text, next.headers['content-range']]).to.deep.equal([206, 'second', 'bytes 6-11/*']);
    const part = await get('bytes=2-4');
    expect([part.status, part.text, part.headers['content-range']]).to.deep.equal([206, 'rst', 'bytes 2-4/*']);
    for (const none of ['bytes=-3', 'bytes=5-2']) expect([(await get(none)).status, (await get(none)).text]).to.deep.equal([200, 'first second']);
    const beyond = await get('bytes=12-');
    expect([beyond.status, beyond.headers['content-range']]).to.deep.equal([416, 'bytes */12']);
  });
});
