import { createConnection } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { jobWith } from '../../support/jobs.ts';
import { child, children, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, idOf, LIST, PUBLIC_URL, uwsGateway } from './uws-gateway.ts';

describe('VOSI 1.1 and the service around the lists', () => {
  const gateway = uwsGateway({ origins: ['https://portal.example.org'] });

  it('104 [D] /capabilities is 200 for everybody and names the job list', async () => {
    for (const path of ['/capabilities', '/uws/capabilities']) {
      const answer = await gateway.client.get(path);
      expect([answer.status, answer.headers['content-type']]).to.deep.equal([200, 'text/xml; charset=utf-8']);
      const capabilities = children(await parseXml(answer.text), 'capability').map((each) => [each.attributes.standardID, child(child(each, 'interface'), 'accessURL').text]);
      expect(capabilities).to.deep.equal([
        ['ivo://ivoa.net/std/VOSI#capabilities', `${PUBLIC_URL}/capabilities`],
        ['ivo://ivoa.net/std/VOSI#availability', `${PUBLIC_URL}/availability`],
        ['ivo://pratique.dev/std/ExecutionPlanner', `${PUBLIC_URL}/accepts`],
        ['ivo://ivoa.net/std/UWS#rest-1.1', LIST],
        ['ivo://ivoa.net/std/UWS#rest-1.1', `${PUBLIC_URL}/uws/compose`],
      ]);
      expect(answer.text).to.include('<param use="required" std="false"><name>IMAGE</name>').and.include('<unit>cores</unit>');
    }
  });

  it('105 [D] /availability is 200 for everybody, says true or false and why; other methods are 405', async () => {
    for (const path of ['/availability', '/uws/availability']) {
      const root = await parseXml((await gateway.client.get(path)).text);
      expect([root.name, child(root, 'vosi:available').text]).to.deep.equal(['vosi:availability', 'true']);
    }
    gateway.availability = { available: false, notes: ['the <engine> does not answer'] };
    const root = await parseXml((await gateway.client.get('/availability')).text);
    expect([child(root, 'vosi:available').text, child(root, 'vosi:note').text]).to.deep.equal(['false', 'the <engine> does not answer']);
    gateway.availability = { available: true, notes: [] };
    for (const path of ['/availability', '/capabilities']) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await gateway.client.send(method, path);
        expectRefused(answer, 405);
        expect(answer.headers.allow).to.equal('GET, HEAD, OPTIONS');
      }
    }
  });

  it('102 [P] without a way to log in every credential is a wrong one, but Basic Og== is nobody\'s', async () => {
    for (const authorization of ['Basic YTpi', 'Bearer x', 'nonsense']) {
      const answer = await gateway.client.get('/uws/docker', { authorization });
      expectRefused(answer, 401);
      expect(answer.headers['www-authenticate']).to.match(/^Basic realm=/);
    }
    for (const authorization of ['Basic Og==', 'basic Og==']) expect((await gateway.client.get('/uws/docker', { authorization })).status).to.equal(200);
  });

  it('103 [R] 5.4 a page of another site cannot change anything, a listed one can', async () => {
    const path = await gateway.create();
    const foreign = [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example', cookie: 'session=1' }, { origin: 'https://vo.example.org.evil.example' }];
    for (const headers of foreign) {
      expectRefused(await gateway.client.post('/uws/docker', { IMAGE }, headers), 403);
      expectRefused(await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' }, headers), 403);
      expectRefused(await gateway.client.send('DELETE', path, { headers }), 403);
      const read = await gateway.client.get(path, headers);
      expect([read.status, read.headers['access-control-allow-origin']]).to.deep.equal([200, undefined]);
    }
    for (const headers of [{ origin: 'https://portal.example.org', 'sec-fetch-site': 'cross-site' }, { origin: new URL(PUBLIC_URL).origin }, { 'sec-fetch-site': 'none' }, {}]) {
      expect((await gateway.client.post('/uws/docker', { IMAGE }, headers)).status).to.equal(303);
    }
  });

  it('CORS: a listed origin may read Location; its preflight is answered; others get nothing', async () => {
    const answer = await gateway.client.post('/uws/docker', { IMAGE }, { origin: 'https://portal.example.org' });
    expect(answer.headers['access-control-allow-origin']).to.equal('https://portal.example.org');
    expect(answer.headers['access-control-expose-headers']).to.include('Location');
    expect(answer.headers.vary).to.include('Origin');
    const preflight = (origin: string) => gateway.client.send('OPTIONS', '/uws/docker', { headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type, authorization' } });
    const welcome = await preflight('https://portal.example.org');
    expect(welcome.status).to.equal(204);
    expect(welcome.headers['access-control-allow-methods']).to.include('POST').and.include('DELETE');
    expect(welcome.headers['access-control-allow-headers']).to.include('Content-Type').and.include('Authorization').and.include('Idempotency-Key');
    expect((await preflight('https://evil.example')).headers).to.not.have.property('access-control-allow-origin');
    expect((await gateway.client.get('/nothing', { origin: 'https://portal.example.org' })).headers['access-control-allow-origin']).to.equal('https://portal.example.org');
  });

  it('106 [R] nothing may be cached, and Vary names Accept', async () => {
    const path = await gateway.create();
    for (const target of ['/uws/docker', path, `${path}/phase`, `${path}/parameters`, '/nothing', '/uws/docker?LAST=x', '/capabilities']) {
      const { headers } = await gateway.client.get(target);
      expect([headers['cache-control'], headers['x-content-type-options']], target).to.deep.equal(['no-store', 'nosniff']);
      expect(headers.vary, target).to.include('Accept').and.include('Authorization');
    }
  });

  it('109 [R] errors are problem+json only where JSON is preferred', async () => {
    const answer = await gateway.client.get('/uws/docker?LAST=x', { accept: 'application/json' });
    expect([answer.status, answer.headers['content-type']]).to.deep.equal([400, 'application/problem+json']);
    expect(JSON.parse(answer.text)).to.deep.equal({
      type: 'https://pratique.dev/problems/BadParameter', title: 'A parameter is missing, unknown, repeated or has a wrong value', status: 400,
      detail: 'LAST must be a whole number greater than 0', code: 'BadParameter', path: 'LAST',
    });
    for (const accept of ['*/*', 'text/plain, application/json', 'application/xml, application/json', 'text/html', '']) {
      expectRefused(await gateway.client.get('/uws/docker?LAST=x', { accept }), 400);
    }
  });

  it('110 [R] XML is not taken in, so that it has no entities and no DTD', async () => {
    for (const type of ['text/xml', 'application/xml', 'application/xml; charset=utf-8']) {
      const answer = await gateway.client.send('POST', '/uws/docker', { body: '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>', headers: { 'content-type': type } });
      expectRefused(answer, 415);
      expect(answer.headers['accept-post']).to.include('application/x-www-form-urlencoded');
    }
  });

  it('5.5 headers or a URL too long -> 431', async () => {
    expect((await gateway.client.get('/uws/docker', { 'x-long': 'x'.repeat(20_000) })).status).to.equal(431);
    expect((await gateway.client.get(`/uws/docker?FOO=${'x'.repeat(20_000)}`)).status).to.equal(431);
  });

  it('errors never echo foreign text as markup or as further lines', async () => {
    const answer = await gateway.client.post('/uws/docker', { '<script>\r\nX: y': '1' });
    expectRefused(answer, 400);
    expect(answer.headers['content-type']).to.equal('text/plain; charset=utf-8');
    expect(answer.headers['x-content-type-options']).to.equal('nosniff');
  });

  it('a fault of ours is a 500 that says nothing of the inside', async () => {
    const { service } = gateway.parts;
    const original = service.revision.bind(service);
    service.revision = () => Promise.reject(new Error('secret /var/lib/path'));
    try {
      const answer = await gateway.client.get(await gateway.create());
      expectRefused(answer, 500);
      expect(answer.text).to.not.include('secret');
    } finally {
      service.revision = original;
    }
  });

  it('5.5 a store that cannot be used -> 503 with Retry-After, also for the list', async () => {
    const { store } = gateway.jobs;
    const path = await gateway.create();
    store.revision = () => Promise.reject(new GatewayError('Unavailable', 'the store cannot be used'));
    store.list = async function* fail() {
      yield* [];
      throw new GatewayError('Unavailable', 'the store cannot be used');
    };
    try {
      for (const target of [path, '/uws/docker']) {
        const answer = await gateway.client.get(target);
        expectRefused(answer, 503);
        expect(answer.headers['retry-after']).to.match(/^\d+$/);
      }
    } finally {
      // what a test has put in front of the store's own methods
      Reflect.deleteProperty(store, 'revision');
      Reflect.deleteProperty(store, 'list');
    }
  });

  it('an answer that breaks off in its middle is cut off, so that nobody takes it for whole or waits for the rest', async () => {
    const { service } = gateway.parts;
    const original = service.list.bind(service);
    service.list = async function* breaks() {
      for (let i = 0; i < 1000; i += 1) yield jobWith({});
      throw new GatewayError('Unavailable', 'the store cannot be used');
    };
    try {
      const outcome = await gateway.client.get('/uws/docker').then((answer) => answer.status, (error: unknown) => (error as Error).message);
      expect(outcome).to.equal('aborted');
    } finally {
      service.list = original;
    }
  });

  it('a request that is none is refused and harms nobody', async () => {
    const { port } = gateway.server.address() as AddressInfo;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => socket.write('GARBAGE\r\n\r\n'));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).to.match(/^HTTP\/1\.1 400 /);
    expect((await gateway.client.get('/uws/docker')).status).to.equal(200);
  });
});

describe('where login is needed', () => {
  const gateway = uwsGateway({
    identify: async () => {
      throw new GatewayError('Unauthenticated', 'log in first', { headers: { 'WWW-Authenticate': 'Bearer' } });
    },
  });
  it('5.1 5.3 not logged in -> 401 with a challenge', async () => {
    for (const [method, path] of [['GET', '/uws/docker'], ['POST', '/uws/docker'], ['GET', '/uws/docker/x'], ['DELETE', '/uws/docker/x'], ['GET', '/uws/docker/x/phase']] as const) {
      const answer = await gateway.client.send(method, path);
      expectRefused(answer, 401, 'log in first');
      expect(answer.headers['www-authenticate']).to.equal('Bearer');
    }
  });
});

describe('the engine and the gateway under a job', () => {
  const gateway = uwsGateway();

  it('5.5 the engine does not answer at RUN -> 303, QUEUED, and it runs when the engine is back', async () => {
    gateway.engine.disconnect();
    const path = await gateway.create();
    expect((await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' })).status).to.equal(303);
    await gateway.engine.whenCalled('hasImage');
    expect(await gateway.phase(path)).to.equal('QUEUED');
    gateway.engine.reconnect();
    while ((await gateway.phase(path)) !== 'EXECUTING') gateway.clock.advance(1000);
  });

  it('107 [R] phases, containers and timers survive a restart', async () => {
    const pending = await gateway.create();
    const running = await gateway.executing({ EXECUTIONDURATION: '500' });
    const ending = await gateway.executing();
    await gateway.restart(() => gateway.engine.finish(idOf(ending), { stdout: 'done' }));
    expect(await gateway.phase(pending)).to.equal('PENDING');
    expect(await gateway.phase(running)).to.equal('EXECUTING');
    await gateway.reaches(ending, 'COMPLETED');
    expect((await gateway.client.get(`${ending}/results/stdout`)).text).to.equal('done');
    while ((await gateway.phase(running)) === 'EXECUTING') gateway.clock.advance(10_000);
    expect([await gateway.phase(running), gateway.engine.starts(idOf(running))]).to.deep.equal(['ABORTED', 1]);
    while ((await gateway.client.get(pending)).status === 200) gateway.clock.advance(86_400_000);
    expectRefused(await gateway.client.get(pending), 404);
  });
});
