import { expect } from 'chai';
import { richJob } from '../../support/rich-jobs.ts';
import { child, children, type Element, parseXml } from '../../support/uws-documents.ts';
import { IMAGE, idOf, LIST, uwsGateway } from './uws-gateway.ts';

/** Python 2's str.lstrip: takes a set of characters, not a prefix. */
function lstrip(text: string, characters: string): string {
  let from = 0;
  while (from < text.length && characters.includes(text.charAt(from))) from += 1;
  return text.slice(from);
}

describe('117 [P] uws-client 1.1.11, its rules by value (uws.md 2.3)', () => {
  const gateway = uwsGateway();

  it('finds the id of a new job by taking its own URL off Location, and not one letter more', async () => {
    for (let i = 0; i < 20; i += 1) {
      const { headers } = await gateway.client.post('/uws/docker', { IMAGE, PHASE: 'RUN' });
      const path = lstrip((headers.location ?? '').replace(LIST, ''), 'https://');
      expect(path).to.equal(idOf(headers.location ?? '')).and.match(/^[0-9a-f-]{36}$/);
    }
  });

  it('finds both namespaces on the root as soon as there is an entry or a result', async () => {
    const path = await gateway.stored(richJob('COMPLETED', gateway.clock.now()));
    for (const target of ['/uws/docker', path]) {
      const { attributes } = await parseXml((await gateway.client.get(target)).text);
      expect(attributes['xmlns:uws']).to.equal('http://www.ivoa.net/xml/UWS/v1.0');
      expect(attributes['xmlns:xlink']).to.equal('http://www.w3.org/1999/xlink');
    }
  });

  it('finds every element it cannot do without, an executionDuration that int() takes', async () => {
    for (const phase of ['PENDING', 'EXECUTING', 'ERROR'] as const) {
      const root = await parseXml((await gateway.client.get(await gateway.stored({ phase }))).text);
      for (const name of ['jobId', 'phase', 'startTime', 'endTime', 'executionDuration', 'destruction', 'parameters', 'results']) child(root, `uws:${name}`);
      expect(child(root, 'uws:executionDuration').text).to.match(/^\d+$/);
    }
  });

  it('finds a slash in every href of the list, and the id after the last one', async () => {
    for (const { attributes } of (await parseXml((await gateway.client.get('/uws/docker')).text)).children) {
      expect((attributes['xlink:href'] ?? '').split('/').at(-1)).to.equal(attributes.id);
    }
  });

  it('runs at I/phase, aborts at I, sets limits mixed with parameters at I and J', async () => {
    const path = await gateway.create({ image: IMAGE, executionDuration: '77', Destruction: '2026-01-05T00:00:00' });
    expect((await gateway.client.get(`${path}/executionduration`)).text).to.equal('77');
    await gateway.client.post(path, { executionduration: '78', destruction: '2026-01-06T00:00:00.123456', 'env.X': 'y' });
    expect([(await gateway.client.get(`${path}/executionduration`)).text, (await gateway.client.get(`${path}/destruction`)).text]).to.deep.equal(['78', '2026-01-06T00:00:00.123Z']);
    await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.client.post(path, { PHASE: 'ABORT' });
    expect(await gateway.phase(path)).to.equal('ABORTED');
  });

  it('asks the list with AFTER without a zone, to the microsecond', async () => {
    expect((await gateway.client.get('/uws/docker?PHASE=ABORTED&AFTER=2025-12-31T23:59:59.123456')).status).to.equal(200);
  });
});

describe('117 [P] Firefly, its rules by value (uws.md 2.8)', () => {
  const gateway = uwsGateway();

  it('takes prefixes from the root, xlink:href literally, and dates to which it adds no second Z', async () => {
    const text = (await gateway.client.get(await gateway.stored(richJob('ERROR', gateway.clock.now())))).text;
    const prefix = /xmlns:(\w+)="http:\/\/www\.ivoa\.net\/xml\/UWS\/v1\.0"/.exec(text)?.[1];
    expect(text).to.include(`<${String(prefix)}:jobId>`).and.include(' xlink:href="');
    const root = await parseXml(text);
    for (const name of ['creationTime', 'startTime', 'endTime', 'destruction']) expect(Number.isNaN(Date.parse(child(root, `uws:${name}`).text))).to.equal(false);
  });

  it('cancels by GET phase?PHASE=ABORTED, which must answer the phase and do nothing', async () => {
    const path = await gateway.executing();
    const answer = await gateway.client.get(`${path}/phase?PHASE=ABORTED`);
    expect([answer.status, answer.text, await gateway.phase(path)]).to.deep.equal([200, 'EXECUTING', 'EXECUTING']);
  });

  it('reads /error after ERROR', async () => {
    const path = await gateway.executing();
    gateway.engine.finish(idOf(path), { code: 3, stderr: 'because' });
    await gateway.reaches(path, 'ERROR');
    expect((await gateway.client.get(`${path}/error`)).text).to.include('exit code 3').and.include('because');
  });
});

describe('117 [P] CADC\'s and STILTS\' readers, their rules by value (uws.md 2.5, 2.6)', () => {
  const gateway = uwsGateway();
  const names = (element: Element): readonly string[] => element.children.flatMap((each) => [each.name.replace(/^.*:/, ''), ...names(each)]);

  it('media types are text/xml and text/plain', async () => {
    const path = await gateway.stored(richJob('COMPLETED', gateway.clock.now()));
    const type = async (target: string): Promise<string | undefined> => (await gateway.client.get(target)).headers['content-type']?.split(';')[0];
    for (const target of ['/uws/docker', path, `${path}/results`, `${path}/parameters`]) expect(await type(target)).to.equal('text/xml');
    for (const target of ['phase', 'quote', 'executionduration', 'destruction', 'owner']) expect(await type(`${path}/${target}`)).to.equal('text/plain');
  });

  it('a POST without a parameter makes a job; Location after DELETE is the list\'s URL exactly; quote is there once', async () => {
    const path = await gateway.create([]);
    expect(children(await parseXml((await gateway.client.get(path)).text), 'uws:quote')).to.have.length(1);
    expect((await gateway.client.delete(path)).headers.location).to.equal(LIST);
  });

  it('without prefixes, no name of UWS occurs twice where a reader would take the last', async () => {
    const root = await parseXml((await gateway.client.get(await gateway.stored(richJob('ERROR', gateway.clock.now())))).text);
    const all = names(root);
    for (const name of ['jobId', 'runId', 'ownerId', 'phase', 'quote', 'creationTime', 'startTime', 'endTime', 'executionDuration', 'destruction', 'parameters', 'results', 'message']) {
      expect(all.filter((each) => each === name), name).to.have.length(1);
    }
  });

  it('what Java sends by itself as Accept is answered in XML (STILTS, TOPCAT)', async () => {
    const answer = await gateway.client.get('/uws/docker', { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' });
    expect(answer.headers['content-type']).to.match(/^text\/xml/);
  });

  it('what libraries of portals send by themselves as Accept is answered in JSON (axios, Angular)', async () => {
    const answer = await gateway.client.get('/uws/docker', { accept: 'application/json, text/plain, */*' });
    expect(answer.headers['content-type']).to.match(/^application\/json/);
  });

  it('STILTS waits without a pause of its own: WAIT=-1 with the phase it has seen is held', async () => {
    const path = await gateway.create();
    const request = gateway.client.get(`${path}?WAIT=-1&PHASE=PENDING`);
    while (gateway.parts.waiting.waiters === 0) await new Promise(setImmediate);
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
    expect(child(await parseXml((await request).text), 'uws:phase').text).to.equal('ABORTED');
  });
});

describe('lucia, the prototype of the Execution Planner: image, command, lifetime', () => {
  const gateway = uwsGateway();
  it('creates with its parameters and sees stdout among the results while the job runs', async () => {
    const path = await gateway.executing({ command: 'echo hello', lifetime: 'PT1M' });
    expect((await gateway.client.get(`${path}/executionduration`)).text).to.equal('60');
    const results = child(await parseXml((await gateway.client.get(path)).text), 'uws:results').children.map(({ attributes }) => attributes.id);
    expect(results).to.include.members(['stdout', 'stderr']);
  });
});
