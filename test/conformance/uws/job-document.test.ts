import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { jobsInEveryPhase, richJob } from '../../support/rich-jobs.ts';
import { child, children, type Element, isNil, jobJsonFromXml, parseXml } from '../../support/uws-documents.ts';
import { LIST, uwsGateway } from './uws-gateway.ts';

/** The children of a job in the schema's order; those with `?` may be absent (uws.md table 1.8; some the schema lets go, clients do not). */
const ORDER = [
  'jobId', 'runId?', 'ownerId', 'phase', 'quote', 'creationTime', 'startTime', 'endTime', 'executionDuration', 'destruction', 'parameters', 'results',
  'errorSummary?', 'jobInfo?',
];
const UWS_NAMES = ['job', 'jobs', 'jobref', 'parameter', 'result', 'message', ...ORDER.map((name) => name.replace('?', ''))];
const ATOMS = ['phase', 'quote', 'executionduration', 'destruction', 'owner'] as const;
const ELEMENTS = { phase: 'phase', quote: 'quote', executionduration: 'executionDuration', destruction: 'destruction', owner: 'ownerId' } as const;

function descendants(element: Element): readonly Element[] {
  return element.children.flatMap((each) => [each, ...descendants(each)]);
}

describe('UWS 1.1 §2.2.2.2 the job document, in every phase', () => {
  const gateway = uwsGateway({ execution: { offer: async () => ({ slots: 0, cores: 0, memory: 0 }) } });
  const paths: string[] = [];
  before(async () => {
    for (const fields of jobsInEveryPhase(gateway.clock.now())) paths.push(await gateway.stored({ ...fields, owner: null }));
  });
  const documents = (): Promise<readonly Element[]> => Promise.all(paths.map(async (path) => parseXml((await gateway.client.get(path)).text)));

  it('42 [M] has the children of the schema, in its order', async () => {
    for (const root of await documents()) {
      const names = root.children.map(({ name }) => name.replace('uws:', ''));
      const expected = ORDER.filter((name) => !name.endsWith('?') || names.includes(name.slice(0, -1))).map((name) => name.replace('?', ''));
      expect(names).to.deep.equal(expected);
    }
  });

  it('43 [M] writes what has no value as xsi:nil and empty; creationTime, runId and executionDuration never so', async () => {
    let nils = 0;
    for (const root of await documents()) {
      for (const each of descendants(root)) {
        if (each.attributes['xsi:nil'] === undefined) continue;
        nils += 1;
        expect(isNil(each)).to.equal(true);
        expect(['uws:ownerId', 'uws:quote', 'uws:startTime', 'uws:endTime', 'uws:destruction']).to.include(each.name);
      }
    }
    expect(nils).to.be.greaterThan(20);
  });

  it('44 [M] has an executionDuration that is an xs:int', async () => {
    for (const root of await documents()) {
      const { text } = child(root, 'uws:executionDuration');
      expect(text).to.match(/^\d{1,10}$/);
      expect(Number(text)).to.be.at.most(2147483647);
    }
  });

  it('45 [M] prints every instant with T and Z', async () => {
    for (const root of await documents()) {
      for (const name of ['quote', 'creationTime', 'startTime', 'endTime', 'destruction']) {
        const element = child(root, `uws:${name}`);
        if (!isNil(element)) expect(element.text).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      }
    }
  });

  it('46 [P] prints creationTime as precisely as AFTER compares it', async () => {
    const creationTime = gateway.clock.now() + 50_000_123;
    const path = await gateway.stored({ creationTime });
    const printed = child(await parseXml((await gateway.client.get(path)).text), 'uws:creationTime').text;
    const after = async (instant: string): Promise<number> => (await parseXml((await gateway.client.get(`/uws/docker?AFTER=${instant}`)).text)).children.length;
    expect(await after(printed)).to.equal(0);
    expect(await after(new Date(creationTime - 1).toISOString())).to.equal(1);
    await gateway.client.delete(path);
  });

  it('47 [M] is a 200 also for a job that failed', async () => {
    for (const path of paths) expect((await gateway.client.get(path)).status).to.equal(200);
  });

  it('48 [S] tells of an error with type, hasDetail and one message', async () => {
    const summaries = (await documents()).flatMap((root) => children(root, 'uws:errorSummary').map((summary) => ({ root, summary })));
    expect(summaries.map(({ root }) => child(root, 'uws:phase').text)).to.include('ERROR');
    for (const { summary } of summaries) {
      expect(summary.attributes.type).to.be.oneOf(['transient', 'fatal']);
      expect(summary.attributes.hasDetail).to.be.oneOf(['true', 'false']);
      expect(child(summary, 'uws:message').text).to.not.equal('');
    }
  });

  it('49 [R] says hasDetail exactly where /error has something', async () => {
    for (const path of paths) {
      const [summary] = children(await parseXml((await gateway.client.get(path)).text), 'uws:errorSummary');
      expect((await gateway.client.get(`${path}/error`)).status).to.equal(summary?.attributes.hasDetail === 'true' ? 200 : 404);
    }
  });

  it('51 [P] has no relative href', async () => {
    for (const root of await documents()) {
      for (const { attributes } of descendants(root)) if (attributes['xlink:href'] !== undefined) expect(attributes['xlink:href']).to.match(new RegExp(`^${LIST}/`));
    }
  });

  it('52 [P] has a jobInfo of foreign elements without names of UWS, and without text of its own', async () => {
    const infos = (await documents()).flatMap((root) => children(root, 'uws:jobInfo'));
    expect(infos.length).to.be.greaterThan(9);
    for (const info of infos) {
      expect(info.text.trim()).to.equal('');
      for (const each of descendants(info)) {
        expect(each.name).to.match(/^job:/);
        expect(UWS_NAMES).to.not.include(each.name.replace('job:', ''));
      }
    }
  });

  it('53 [M] has standalone results and parameters that are the same lists, without a version', async () => {
    for (const path of paths) {
      const root = await parseXml((await gateway.client.get(path)).text);
      for (const name of ['results', 'parameters']) {
        const alone = await parseXml((await gateway.client.get(`${path}/${name}`)).text);
        expect([alone.name, alone.attributes.version]).to.deep.equal([`uws:${name}`, undefined]);
        expect(alone.children).to.deep.equal(child(root, `uws:${name}`).children);
      }
    }
  });

  it('57 [P] 58 [M] has atoms equal to its elements, empty where those are nil', async () => {
    for (const path of paths) {
      const root = await parseXml((await gateway.client.get(path)).text);
      for (const atom of ATOMS) {
        const element = child(root, `uws:${ELEMENTS[atom]}`);
        const answer = await gateway.client.get(`${path}/${atom}`);
        expect([answer.status, answer.text], atom).to.deep.equal([200, isNil(element) ? '' : element.text]);
      }
    }
  });

  it('108 [R] says the same in JSON as in XML, and the default stays XML', async () => {
    for (const path of paths) {
      const xml = await gateway.client.get(path);
      const json = await gateway.client.get(path, { accept: 'application/json' });
      expect(xml.headers['content-type']).to.match(/^text\/xml/);
      expect(json.headers['content-type']).to.match(/^application\/json/);
      const facts = JSON.parse(json.text) as Record<string, unknown>;
      const results = (facts.results as Record<string, unknown>[]).map((result) => Object.fromEntries(Object.entries(result).filter(([name]) => name !== 'digest')));
      expect(jobJsonFromXml(await parseXml(xml.text))).to.deep.equal({ ...facts, results });
      for (const atom of ATOMS) {
        const value = facts[ELEMENTS[atom]];
        expect(JSON.parse((await gateway.client.get(`${path}/${atom}`, { accept: 'application/json' })).text)).to.deep.equal(value);
      }
      for (const list of ['parameters', 'results']) {
        expect(JSON.parse((await gateway.client.get(`${path}/${list}`, { accept: 'application/json' })).text)).to.deep.equal(facts[list]);
      }
    }
  });

  it('108 [R] says the same in the JSON list as in the XML list', async () => {
    for (const query of ['', '?PHASE=ARCHIVED', '?PHASE=HELD', '?LAST=3', '?AFTER=2036']) {
      const xml = await parseXml((await gateway.client.get(`/uws/docker${query}`)).text);
      const json = JSON.parse((await gateway.client.get(`/uws/docker${query}`, { accept: 'application/json' })).text) as unknown;
      const text = (entry: Element, name: string): string | null => {
        const [found] = children(entry, `uws:${name}`);
        return found === undefined || isNil(found) ? null : found.text;
      };
      const jobs = xml.children.map((entry) => ({
        jobId: entry.attributes.id, href: entry.attributes['xlink:href'], phase: text(entry, 'phase'), runId: text(entry, 'runId'), ownerId: text(entry, 'ownerId'), creationTime: text(entry, 'creationTime'),
      }));
      expect(json).to.deep.equal({ version: '1.1', jobs });
    }
  });
});

describe('UWS 1.1 §2.2.2.2 the results of a job', () => {
  const gateway = uwsGateway();

  it('50 [M] lists results with unique ids, and size and mime-type as they are served', async () => {
    const path = await gateway.executing();
    gateway.engine.finish(path.slice(path.lastIndexOf('/') + 1), { stdout: 'héllo', files: { 'a.txt': 'x', 'sub/a.txt': 'yy', 'c.fits': 'zzz', stdout: 'its own' } });
    await gateway.reaches(path, 'COMPLETED');
    const results = child(await parseXml((await gateway.client.get(path)).text), 'uws:results').children;
    const ids = results.map(({ attributes }) => attributes.id);
    expect(new Set(ids)).to.have.property('size', ids.length);
    expect(ids).to.include.members(['stdout', 'stderr', 'a.txt', 'sub/a.txt', 'c.fits']);
    for (const { attributes } of results) {
      const answer = await gateway.client.get(attributes['xlink:href'] ?? '');
      expect([answer.status, String(answer.bytes.length), answer.headers['content-type']]).to.deep.equal([200, attributes.size, attributes['mime-type']]);
    }
  });
});

describe('UWS 1.1 §2.2.2.2 whose job it is', () => {
  const gateway = uwsGateway({
    identify: async (ctx) => {
      const user = ctx.get('x-user');
      if (user === 'wrong') throw new GatewayError('Unauthenticated', 'unknown user', { headers: { 'WWW-Authenticate': 'Basic realm="test"' } });
      return { id: user === '' ? null : user, groups: [] };
    },
  });

  it('54 [R] an unknown job is 404, also with a WAIT', async () => {
    for (const query of ['', '?WAIT=10', '?WAIT=-1&PHASE=PENDING']) expect((await gateway.client.get(`/uws/docker/nobody${query}`)).status).to.equal(404);
  });

  it('55 [S] 100 [M] another user\'s job is 403, for every method and child, and is not listed', async () => {
    const path = await gateway.create({ IMAGE: 'registry.test/tools/one:1' }, { 'x-user': 'alice' });
    const calls = [
      ['GET', ''], ['GET', '?WAIT=10'], ['HEAD', ''], ['POST', ''], ['DELETE', ''], ...['phase', 'executionduration', 'destruction', 'parameters'].flatMap((child) => [['GET', `/${child}`], ['POST', `/${child}`]] as const),
      ['GET', '/quote'], ['GET', '/owner'], ['GET', '/error'], ['GET', '/results'], ['GET', '/results/stdout'], ['GET', '/parameters/IMAGE'], ['PUT', '/parameters/IMAGE'],
    ] as const;
    for (const user of ['bob', '']) {
      for (const [method, rest] of calls) {
        const sent = { headers: { 'x-user': user }, ...(method === 'POST' ? { form: { ACTION: 'DELETE', PHASE: 'ABORT' } } : {}) };
        expect((await gateway.client.send(method, path + rest, sent)).status, `${user} ${method} ${rest}`).to.equal(403);
      }
      expect((await gateway.client.get('/uws/docker', { 'x-user': user })).text).to.not.include(path);
    }
    expect((await gateway.client.get(`${path}/phase`, { 'x-user': 'alice' })).text).to.equal('PENDING');
  });

  it('21 [S] 101 [S] a user sees his own jobs, with his name as their owner', async () => {
    const path = await gateway.create({}, { 'x-user': 'carol' });
    const listed = (await parseXml((await gateway.client.get('/uws/docker', { 'x-user': 'carol' })).text)).children;
    expect(listed.map((entry) => child(entry, 'uws:ownerId').text)).to.deep.equal(['carol']);
    expect((await gateway.client.get(`${path}/owner`, { 'x-user': 'carol' })).text).to.equal('carol');
    expect(child(await parseXml((await gateway.client.get(path, { 'x-user': 'carol' })).text), 'uws:ownerId').text).to.equal('carol');
    const nobody = await gateway.create();
    expect((await gateway.client.get(`${nobody}/owner`)).text).to.equal('');
    expect(isNil(child(await parseXml((await gateway.client.get(nobody)).text), 'uws:ownerId'))).to.equal(true);
  });

  it('102 [P] 5.5 wrong credentials are 401 with a challenge, never anonymous; Basic Og== is anonymous', async () => {
    for (const path of ['/uws/docker', '/uws/docker/nobody', '/capabilities']) {
      const answer = await gateway.client.get(path, { 'x-user': 'wrong' });
      expect([answer.status, answer.headers['www-authenticate']]).to.deep.equal([401, 'Basic realm="test"']);
    }
    expect((await gateway.client.get('/uws/docker', { 'x-user': 'wrong', authorization: 'Basic Og==' })).status).to.equal(200);
    // the order of the checks: no route 404, then who, then the method
    expect((await gateway.client.get('/nothing', { 'x-user': 'wrong' })).status).to.equal(404);
    expect((await gateway.client.send('PUT', '/uws/docker', { headers: { 'x-user': 'wrong' } })).status).to.equal(401);
  });
});

describe('UWS 1.1 §2.2.2.2 the cache of rendered documents', () => {
  const gateway = uwsGateway();
  it('never shows an old revision, and keeps the forms apart', async () => {
    const path = await gateway.stored(richJob('PENDING', gateway.clock.now()));
    const { store } = gateway;
    for (const executionDuration of [11, 12, 13]) {
      await store.update(path.slice(path.lastIndexOf('/') + 1), ['PENDING'], { executionDuration });
      for (let again = 0; again < 2; again += 1) {
        expect((await gateway.client.get(path)).text).to.include(`<uws:executionDuration>${String(executionDuration)}<`);
        expect((await gateway.client.get(path, { accept: 'application/json' })).text).to.include(`"executionDuration":${String(executionDuration)},`);
        expect((await gateway.client.get(path, { accept: 'text/html' })).text).to.match(/^<!doctype html>/);
      }
    }
  });
});
