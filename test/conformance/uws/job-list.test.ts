import { expect } from 'chai';
import type { JobSummary } from '../../../src/job/job.ts';
import { PHASES, type Phase } from '../../../src/job/phase.ts';
import { jobWith } from '../../support/jobs.ts';
import { SCHEMAS, schemaErrors } from '../../support/uws-schema.ts';
import { type Element, child, children, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, idOf, LIST, type UwsGateway, uwsGateway } from './uws-gateway.ts';

const START = Date.UTC(2026, 0, 1);

async function entries(gateway: UwsGateway, query = ''): Promise<readonly Element[]> {
  const answer = await gateway.client.get(`/uws/docker${query}`);
  expect(answer.status, answer.text).to.equal(200);
  return (await parseXml(answer.text)).children;
}

async function ids(gateway: UwsGateway, query = ''): Promise<readonly (string | undefined)[]> {
  return (await entries(gateway, query)).map(({ attributes }) => attributes.id);
}

describe('UWS 1.1 §2.2.1.1 the job list, new', () => {
  const gateway = uwsGateway();

  it('1 [M] answers 200 with the root jobs, version 1.1', async () => {
    const answer = await gateway.client.get('/uws/docker');
    const root = await parseXml(answer.text);
    expect([answer.status, root.name, root.attributes.version]).to.deep.equal([200, 'uws:jobs', '1.1']);
    expect(root.attributes['xmlns:uws']).to.equal('http://www.ivoa.net/xml/UWS/v1.0');
  });

  it('2 [P] is text/xml', async () => {
    expect((await gateway.client.get('/uws/docker')).headers['content-type']).to.match(/^text\/xml/);
  });

  it('3 [M] is valid empty, with one job, with a runId, with a nil ownerId', async function () {
    if (SCHEMAS === undefined) return this.skip();
    const empty = (await gateway.client.get('/uws/docker')).text;
    await gateway.create();
    const one = (await gateway.client.get('/uws/docker')).text;
    await gateway.create({ IMAGE, RUNID: 'a <run> & "so" on' });
    const two = (await gateway.client.get('/uws/docker')).text;
    expect(await schemaErrors([empty, one, two])).to.equal('');
    expect(one).to.include('<uws:ownerId xsi:nil="true"/>').and.not.include('runId');
    expect((await parseXml(two)).children.flatMap((each) => children(each, 'uws:runId')).map(({ text }) => text)).to.deep.equal(['a <run> & "so" on']);
  });

  it('4 [M] is XML for Accept: application/xml,text/plain', async () => {
    expect((await gateway.client.get('/uws/docker', { accept: 'application/xml,text/plain' })).headers['content-type']).to.match(/^text\/xml/);
  });

  it('5 [P] is XML or HTML, never 406, for what browsers and libraries accept', async () => {
    const accepts = ['text/html,application/xml;q=0.9,*/*;q=0.8', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html', 'image/png', 'nonsense', ''];
    for (const accept of accepts) {
      const answer = await gateway.client.get('/uws/docker', { accept });
      expect(answer.status, accept).to.equal(200);
      expect(answer.headers['content-type'], accept).to.match(/^text\/(?:xml|html)/);
    }
  });

  it('6 [S] shows a new job at once, with its phase', async () => {
    const path = await gateway.create();
    const entry = (await entries(gateway)).find(({ attributes }) => attributes.id === idOf(path));
    expect(entry === undefined ? undefined : child(entry, 'uws:phase').text).to.equal('PENDING');
  });

  it('19 [P] gives every entry an id, an absolute href without a slash at its end, phase and creationTime', async () => {
    for (const entry of await entries(gateway)) {
      expect(entry.attributes['xlink:href']).to.equal(`${LIST}/${String(entry.attributes.id)}`);
      expect(PHASES).to.include(child(entry, 'uws:phase').text);
      expect(child(entry, 'uws:creationTime').text).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  it('20 [P] has no comment or instruction within jobs, the literal prefix xlink, and its namespaces on the root', async () => {
    const { text } = await gateway.client.get('/uws/docker');
    expect(text.slice(text.indexOf('<uws:jobs'))).to.not.match(/<[!?]/);
    expect(text).to.include(' xlink:href="');
    expect((await parseXml(text)).attributes).to.include.keys('xmlns:uws', 'xmlns:xlink', 'xmlns:xsi');
  });

  it('22 [R] is streamed: a client that stops reading stops the reading of jobs', async () => {
    const { service } = gateway.parts;
    const original = service.list.bind(service);
    let read = 0;
    let stopped: () => void = () => undefined;
    const end = new Promise<void>((resolve) => (stopped = resolve));
    service.list = async function* endless(): AsyncGenerator<JobSummary> {
      try {
        for (;;) {
          read += 1;
          yield jobWith({ runId: 'x'.repeat(60) });
          if (read % 1000 === 0) await new Promise(setImmediate);
        }
      } finally {
        stopped();
      }
    };
    try {
      const response = await gateway.client.open('GET', '/uws/docker', {}, undefined);
      response.once('readable', () => response.destroy());
      await end;
      // what the buffers between the two ends hold, and no more
      expect(read).to.be.lessThan(100_000);
    } finally {
      service.list = original;
    }
  });

  it('22 [R] lists 10 000 jobs', async () => {
    const before = (await ids(gateway)).length;
    for (let batch = 0; batch < 10; batch += 1) await Promise.all(Array.from({ length: 1000 }, () => gateway.stored({})));
    const answer = await gateway.client.get('/uws/docker');
    expect(answer.text.match(/<uws:jobref /g)).to.have.length(before + 10_000);
    expect(answer.headers['content-length']).to.equal(undefined);
  });

  it('23 [P] answers with a slash at its end as without, no redirect', async () => {
    const answer = await gateway.client.get('/uws/docker/');
    expect([answer.status, answer.text]).to.deep.equal([200, (await gateway.client.get('/uws/docker')).text]);
  });
});

describe('UWS 1.1 §2.2.1.1 filters of the job list', () => {
  const gateway = uwsGateway();
  const byPhase = new Map<Phase, string>();
  /** One job in each phase, a second apart, the last of PHASES the newest. */
  before(async () => {
    for (const [index, phase] of PHASES.entries()) {
      byPhase.set(phase, idOf(await gateway.stored({ phase, creationTime: START + index * 1000 })));
    }
  });
  const newest = (...phases: readonly Phase[]): readonly string[] => [...phases].reverse().map((phase) => byPhase.get(phase) ?? '');
  const listed = PHASES.filter((phase) => phase !== 'ARCHIVED');

  it('7 [S] leaves out ARCHIVED jobs without PHASE', async () => {
    expect(await ids(gateway)).to.deep.equal(newest(...listed));
  });

  it('8 [S] lists them with PHASE=ARCHIVED, and with PHASE=ERROR both', async () => {
    expect(await ids(gateway, '?PHASE=ARCHIVED')).to.deep.equal(newest('ARCHIVED'));
    expect(await ids(gateway, '?PHASE=ARCHIVED&PHASE=ERROR')).to.deep.equal(newest('ERROR', 'ARCHIVED'));
  });

  it('9 [S] takes each of the ten phases', async () => {
    for (const phase of PHASES) expect(await ids(gateway, `?PHASE=${phase}`), phase).to.deep.equal(newest(phase));
  });

  it('10 [S] joins two and three phases', async () => {
    expect(await ids(gateway, '?PHASE=PENDING&PHASE=HELD')).to.deep.equal(newest('PENDING', 'HELD'));
    expect(await ids(gateway, '?PHASE=PENDING&PHASE=HELD&PHASE=COMPLETED')).to.deep.equal(newest('PENDING', 'COMPLETED', 'HELD'));
  });

  it('11 [P] refuses an unknown phase', async () => {
    expectRefused(await gateway.client.get('/uws/docker?PHASE=UNKNOWNN'), 400, 'PHASE');
  });

  it('12 [S] gives with LAST the newest, newest first', async () => {
    expect(await ids(gateway, '?LAST=1')).to.deep.equal(newest('UNKNOWN'));
    expect(await ids(gateway, '?LAST=3')).to.deep.equal(newest('HELD', 'SUSPENDED', 'UNKNOWN'));
  });

  it('13 [P] refuses LAST=0, -1, abc', async () => {
    for (const last of ['0', '-1', 'abc']) expectRefused(await gateway.client.get(`/uws/docker?LAST=${last}`), 400, 'LAST');
  });

  it('14 [S] gives with AFTER what is strictly later', async () => {
    expect(await ids(gateway, '?AFTER=2026-01-01T00:00:06.000Z')).to.deep.equal(newest('SUSPENDED', 'UNKNOWN'));
    expect(await ids(gateway, '?AFTER=2026-01-01T00:00:05.999Z')).to.deep.equal(newest('HELD', 'SUSPENDED', 'UNKNOWN'));
  });

  it('15 [P] takes AFTER in the forms that clients send', async () => {
    const forms = ['2025', '20251231', '2025-12-31', '2025-12', '2025-12-31T10:00', '2025-12-31%2010:00:00', '2025-12-31T10:00:00', '2025-12-31T10:00:00Z', '2025-12-31T10:00:00.123456', '2025-12-31T10:00:00.123456Z'];
    for (const form of forms) expect(await ids(gateway, `?AFTER=${form}`), form).to.have.length(listed.length);
  });

  it('16 [P] refuses AFTER with an offset, a month that is none, text', async () => {
    for (const form of ['2025-12-31T10:00:00%2B01:00', '2025-13-01', 'yesterday']) expectRefused(await gateway.client.get(`/uws/docker?AFTER=${form}`), 400, 'AFTER');
  });

  it('17 [S] joins PHASE, AFTER and LAST by AND, LAST counting after the others', async () => {
    expect(await ids(gateway, '?PHASE=PENDING&PHASE=QUEUED&PHASE=EXECUTING&PHASE=HELD&AFTER=2026-01-01T00:00:00Z&LAST=2')).to.deep.equal(newest('EXECUTING', 'HELD'));
  });

  it('18 [R] orders by descending creationTime also without LAST', async () => {
    const times = (await entries(gateway)).map((entry) => child(entry, 'uws:creationTime').text);
    expect(times).to.have.length(listed.length).and.to.deep.equal([...times].sort().reverse());
  });
});

describe('bad input 5.1: the job list', () => {
  const gateway = uwsGateway();
  before(async () => {
    await gateway.stored({ phase: 'ERROR' });
    await gateway.stored({ phase: 'PENDING' });
  });
  const refused = (query: string, naming: string): void => {
    it(`5.1 ?${query} -> 400`, async () => expectRefused(await gateway.client.get(`/uws/docker?${query}`), 400, naming));
  };
  const shows = (query: string, count: number): void => {
    it(`5.1 ?${query} -> 200 with ${String(count)}`, async () => expect(await ids(gateway, `?${query}`)).to.have.length(count));
  };
  for (const phase of ['SUCCESS', 'pendinggg', '1345', 'pending', '', 'ERROR,ABORTED', 'ERROR&PHASE=bogus']) refused(`PHASE=${phase}`, 'PHASE');
  shows('PHASE=ERROR&PHASE=ERROR', 1);
  shows('phase=ERROR', 1);
  for (const last of ['0', '-1', '-254', 'sometext', '1.5', '1e3', '+5', '%205', '', '%2B5', '00']) refused(`LAST=${last}`, 'LAST');
  shows('LAST=99999999999999999999', 2);
  refused('LAST=3&LAST=5', 'LAST');
  shows('AFTER=2025-10-26', 2);
  for (const after of ['2015-26-10', '2015-02-30', 'sometext', '', '2015-10-26T09:00+01:00', '2015-10-26T09:00%2B01:00', '2015-10-26T24:00:00Z', '2015-10-26T23:59:60Z', '10000-01-01', '0000-01-01', '-2015']) {
    refused(`AFTER=${after}`, 'AFTER');
  }
  refused('AFTER=2015&AFTER=2016', 'AFTER');
  shows('FOO=1', 2);
  refused('PHASE=%ZZ', '');
  refused('PHASE=%FF', '');
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    it(`5.1 ${method} -> 405 with Allow`, async () => {
      const answer = await gateway.client.send(method, '/uws/docker');
      expectRefused(answer, 405);
      expect(answer.headers.allow).to.equal('GET, HEAD, POST, OPTIONS');
    });
  }
  it('5.1 DELETE has deleted nothing', async () => expect(await ids(gateway)).to.have.length(2));
  it('HEAD tells no size where it does not know that of GET', async () => {
    const head = await gateway.client.send('HEAD', '/uws/docker');
    expect([head.status, head.headers['content-type'], head.headers['content-length'], head.text]).to.deep.equal([200, 'text/xml; charset=utf-8', undefined, '']);
    expectRefused(await gateway.client.get('/uws/docker?LAST=0'), 400);
    expect((await gateway.client.send('HEAD', '/uws/docker?LAST=0')).status).to.equal(400);
  });
});
