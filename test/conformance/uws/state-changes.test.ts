import { expect } from 'chai';
import { EngineRefused } from '../../../src/engine/engine.ts';
import type { Job } from '../../../src/job/job.ts';
import { PHASES, type Phase, TERMINAL_PHASES } from '../../../src/job/phase.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import type { Answer, Sent } from '../../support/http-client.ts';
import { child, children, type Element, isNil, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, IMAGE, idOf, LIST, PUBLIC_URL, type UwsGateway, uwsGateway } from './uws-gateway.ts';

const NO_SLOTS = { offer: async () => ({ slots: 0, cores: 0, memory: 0 }) };

function expectSeeOther(answer: Answer, url: string): void {
  expect([answer.status, answer.headers.location, answer.text], answer.text).to.deep.equal([303, url, '']);
}

async function documentOf(gateway: UwsGateway, path: string): Promise<Element> {
  return parseXml((await gateway.client.get(path)).text);
}

/** Resolves when it holds; with a clock, time passes meanwhile. */
async function eventually(holds: () => boolean | Promise<boolean>, clock?: FakeClock): Promise<void> {
  while (!(await holds())) {
    clock?.advance(1000);
    await new Promise(setImmediate);
  }
}

describe('UWS 1.1 §2.2.3.5 RUN and ABORT', () => {
  const gateway = uwsGateway();
  const post = (path: string, form: Sent['form']): Promise<Answer> => gateway.client.post(path, form);

  it('65 [M] RUN is a 303 to the job, which is then QUEUED, EXECUTING or COMPLETED', async () => {
    const path = await gateway.create();
    expectSeeOther(await post(`${path}/phase`, { PHASE: 'RUN' }), PUBLIC_URL + path);
    expect(await gateway.phase(path)).to.be.oneOf(['QUEUED', 'EXECUTING', 'COMPLETED']);
    await gateway.reaches(path, 'EXECUTING');
  });

  it('66 [M] ABORT is a 303 to the job, which is then ABORTED, from PENDING and EXECUTING', async () => {
    for (const path of [await gateway.create(), await gateway.executing()]) {
      expectSeeOther(await post(`${path}/phase`, { PHASE: 'ABORT' }), PUBLIC_URL + path);
      expect(await gateway.phase(path)).to.equal('ABORTED');
    }
  });

  it('67 [P] ABORTED shows at once although the container ignores SIGTERM; it is killed afterwards', async () => {
    const path = await gateway.create();
    gateway.engine.plan(idOf(path), { ignoresStop: true });
    await post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.reaches(path, 'EXECUTING');
    await post(`${path}/phase`, { PHASE: 'ABORT' });
    expect(await gateway.phase(path)).to.equal('ABORTED');
    await gateway.engine.whenCalled('stop', idOf(path));
    expect(gateway.engine.jobs()).to.include(idOf(path));
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + 10_000);
    gateway.clock.advance(10_000);
    await eventually(() => !gateway.engine.jobs().includes(idOf(path)));
  });

  it('68 [P] what is over has an endTime; what ran has a startTime not later', async () => {
    const paths = [await gateway.create(), await gateway.executing(), await gateway.executing()];
    gateway.clock.advance(5000);
    for (const path of paths.slice(0, 2)) await post(`${path}/phase`, { PHASE: 'ABORT' });
    gateway.engine.finish(idOf(paths[2] ?? ''), { code: 3 });
    await gateway.reaches(paths[2] ?? '', 'ERROR');
    for (const path of paths) {
      const root = await documentOf(gateway, path);
      expect(child(root, 'uws:endTime').text).to.match(/Z$/);
      if (path === paths[0]) expect(isNil(child(root, 'uws:startTime'))).to.equal(true);
      else expect(child(root, 'uws:startTime').text < child(root, 'uws:endTime').text).to.equal(true);
    }
  });

  it('69 [P] 5.4 PHASE in the query with an empty body counts', async () => {
    const path = await gateway.create();
    expectSeeOther(await gateway.client.send('POST', `${path}/phase?PHASE=ABORT`), PUBLIC_URL + path);
    expect(await gateway.phase(path)).to.equal('ABORTED');
  });

  it('70 [P] PHASE=ABORT posted to the job itself counts (uws-client)', async () => {
    const path = await gateway.create();
    expectSeeOther(await post(path, { phase: 'ABORT' }), PUBLIC_URL + path);
    expect(await gateway.phase(path)).to.equal('ABORTED');
  });

  it('71 [R] 5.4 RUN on a running job is a 303 and nothing else', async () => {
    const path = await gateway.executing();
    const before = (await gateway.client.get(path)).text;
    expectSeeOther(await post(`${path}/phase`, { PHASE: 'RUN' }), PUBLIC_URL + path);
    expect([(await gateway.client.get(path)).text, gateway.engine.starts(idOf(path))]).to.deep.equal([before, 1]);
  });

  it('73 [R] 5.4 a PHASE that is missing, empty, unknown, lower-case or doubled is 400', async () => {
    const path = await gateway.create();
    for (const form of [{}, { PHASE: '' }, { PHASE: 'bogus' }, { PHASE: 'run' }, [['PHASE', 'RUN'], ['PHASE', 'ABORT']], [['PHASE', 'RUN'], ['phase', 'RUN']]] as const) {
      expectRefused(await post(`${path}/phase`, form), 400, 'PHASE');
    }
    expectRefused(await gateway.client.post(`${path}/phase?PHASE=ABORT`, { PHASE: 'RUN' }), 400, 'PHASE');
    expectRefused(await post(`${path}/phase`, { PHASE: 'ABORT', IMAGE }), 400, 'IMAGE');
    expect(await gateway.phase(path)).to.equal('PENDING');
  });

  it('74 [R] 5.4 fifty RUNs at once start one container; RUN and ABORT at once leave none', async () => {
    const path = await gateway.create();
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(`${path}/phase`, { PHASE: 'RUN' })));
    for (const answer of answers) expectSeeOther(answer, PUBLIC_URL + path);
    await gateway.reaches(path, 'EXECUTING');
    expect(gateway.engine.starts(idOf(path))).to.equal(1);
    for (let round = 0; round < 5; round += 1) {
      const other = await gateway.create();
      const [ran, aborted] = await Promise.all([post(`${other}/phase`, { PHASE: 'RUN' }), post(`${other}/phase`, { PHASE: 'ABORT' })]);
      expect(aborted.status).to.equal(303);
      expect(ran.status).to.be.oneOf([303, 403]);
      await gateway.reaches(other, 'ABORTED');
      await eventually(() => !gateway.engine.jobs().includes(idOf(other)));
    }
  });

  it('75 [R] 5.4 an end of the container that comes late changes no terminal phase', async () => {
    const path = await gateway.create();
    gateway.engine.plan(idOf(path), { ignoresStop: true });
    await post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.reaches(path, 'EXECUTING');
    await post(`${path}/phase`, { PHASE: 'ABORT' });
    const endTime = child(await documentOf(gateway, path), 'uws:endTime').text;
    await gateway.engine.whenCalled('stop', idOf(path));
    gateway.clock.advance(1000);
    gateway.engine.finish(idOf(path), { code: 0 });
    gateway.clock.advance(10_000);
    await eventually(() => !gateway.engine.jobs().includes(idOf(path)));
    const root = await documentOf(gateway, path);
    expect([child(root, 'uws:phase').text, child(root, 'uws:endTime').text]).to.deep.equal(['ABORTED', endTime]);
  });

  it('86 [S] exit code 0 is COMPLETED; another, out of memory, a missing image are ERROR; a registry that is down is transient', async () => {
    const outcomes: readonly [Parameters<UwsGateway['engine']['plan']>[1] | EngineRefused, Phase, string, string][] = [
      [{ autoFinish: true }, 'COMPLETED', '', ''],
      [{ autoFinish: true, code: 3 }, 'ERROR', 'fatal', 'exit code 3'],
      [{ autoFinish: true, code: 137, outOfMemory: true }, 'ERROR', 'fatal', 'out of memory'],
      [{ refuseStart: new EngineRefused('no such program') }, 'ERROR', 'fatal', 'no such program'],
      [new EngineRefused('no such image'), 'ERROR', 'fatal', 'no such image'],
      [new EngineRefused('the registry is down', { temporary: true }), 'ERROR', 'transient', 'the registry is down'],
    ];
    for (const [plan, phase, type, message] of outcomes) {
      const path = await gateway.create();
      if (!(plan instanceof EngineRefused)) gateway.engine.plan(idOf(path), plan);
      // what may help is tried again, some times
      else if (plan.temporary) gateway.engine.refuseImage(plan);
      else gateway.engine.failNext('hasImage', { error: plan });
      await post(`${path}/phase`, { PHASE: 'RUN' });
      await eventually(async () => (await gateway.phase(path)) === phase, gateway.clock);
      const [summary] = children(await documentOf(gateway, path), 'uws:errorSummary');
      expect([summary?.attributes.type ?? '', summary === undefined ? '' : child(summary, 'uws:message').text.slice(0, message.length)]).to.deep.equal([type, message]);
    }
  });
});

describe('UWS 1.1 §2.2.3.5 RUN and ABORT by phase', () => {
  const gateway = uwsGateway({ execution: NO_SLOTS });
  const post = async (phase: Phase, asked: 'RUN' | 'ABORT'): Promise<readonly [Answer, string]> => {
    const path = await gateway.stored({ phase, endTime: TERMINAL_PHASES.has(phase) ? 1 : null });
    return [await gateway.client.post(`${path}/phase`, { PHASE: asked }), path];
  };

  const afterRun: Readonly<Record<Phase, Phase | 403>> = {
    PENDING: 'QUEUED', QUEUED: 'QUEUED', EXECUTING: 'EXECUTING', HELD: 'QUEUED',
    COMPLETED: 403, ERROR: 403, ABORTED: 403, ARCHIVED: 403, SUSPENDED: 403, UNKNOWN: 403,
  };
  for (const phase of PHASES) {
    it(`71 [R] 5.4 RUN in ${phase} -> ${String(afterRun[phase])}`, async () => {
      const [answer, path] = await post(phase, 'RUN');
      if (afterRun[phase] === 403) expectRefused(answer, 403, phase);
      else expectSeeOther(answer, PUBLIC_URL + path);
      expect(await gateway.phase(path)).to.equal(afterRun[phase] === 403 ? phase : afterRun[phase]);
    });

    it(`66 [M] 72 [R] 5.4 ABORT in ${phase} -> ${TERMINAL_PHASES.has(phase) ? 'nothing' : 'ABORTED'}`, async () => {
      const [answer, path] = await post(phase, 'ABORT');
      expectSeeOther(answer, PUBLIC_URL + path);
      const root = await documentOf(gateway, path);
      expect(child(root, 'uws:phase').text).to.equal(TERMINAL_PHASES.has(phase) ? phase : 'ABORTED');
      expect(child(root, 'uws:endTime').text).to.equal(TERMINAL_PHASES.has(phase) ? '1970-01-01T00:00:00.001Z' : '2026-01-01T00:00:00.000Z');
    });
  }
});

describe('UWS 1.1 §2.2.3.3, §2.2.3.4 destruction and executionduration', () => {
  const gateway = uwsGateway();
  const set = (path: string, name: string, value: string): Promise<Answer> => gateway.client.post(`${path}/${name.toLowerCase()}`, { [name]: value });
  const shown = async (path: string, element: string): Promise<string> => {
    const inDocument = child(await documentOf(gateway, path), `uws:${element}`).text;
    expect((await gateway.client.get(`${path}/${element.toLowerCase()}`)).text).to.equal(inDocument);
    return inDocument;
  };

  it('76 [M] destruction is answered with 303, and shown as it was really set', async () => {
    const path = await gateway.create();
    for (const [asked, becomes] of [
      ['2026-01-03T04:05:06.789Z', '2026-01-03T04:05:06.789Z'], ['2026-01-03T04:05:06.789123Z', '2026-01-03T04:05:06.789Z'], ['2026-01-03T04:05:06', '2026-01-03T04:05:06.000Z'],
    ] as const) {
      expectSeeOther(await set(path, 'DESTRUCTION', asked), PUBLIC_URL + path);
      expect(await shown(path, 'destruction')).to.equal(becomes);
    }
  });

  it('77 [R] 5.4 destruction too far is cut; missing, malformed, with an offset or past it is 400', async () => {
    const path = await gateway.create();
    expectSeeOther(await set(path, 'DESTRUCTION', '2099-01-01T00:00:00Z'), PUBLIC_URL + path);
    expect(await shown(path, 'destruction')).to.equal('2026-01-31T00:00:00.000Z');
    for (const value of ['', 'soon', '2026-02-30T00:00:00Z', '2026-01-05T00:00:00+01:00', '2025-12-31T23:59:59Z']) expectRefused(await set(path, 'DESTRUCTION', value), 400, 'DESTRUCTION');
    expectRefused(await gateway.client.post(`${path}/destruction`, {}), 400, 'DESTRUCTION');
    expect(await shown(path, 'destruction')).to.equal('2026-01-31T00:00:00.000Z');
  });

  it('5.4 destruction may be moved when the job is over, but not when it is ARCHIVED', async () => {
    expectSeeOther(await set(await gateway.stored({ phase: 'COMPLETED' }), 'DESTRUCTION', '2026-01-05'), (await lastLocation()));
    expectRefused(await set(await gateway.stored({ phase: 'ARCHIVED' }), 'DESTRUCTION', '2026-01-05'), 403, 'ARCHIVED');
  });
  const lastLocation = async (): Promise<string> => {
    const [newest] = (await parseXml((await gateway.client.get('/uws/docker?PHASE=COMPLETED&LAST=1')).text)).children;
    return newest?.attributes['xlink:href'] ?? '';
  };

  it('78 [M] 5.4 executionduration is answered with 303, shown as set or cut; 0 is the site\'s maximum', async () => {
    const path = await gateway.create();
    for (const [asked, becomes] of [['60', '60'], ['86400', '86400'], ['99999999', '86400'], ['2147483648', '86400'], ['99999999999999999999', '86400'], ['0', '86400']] as const) {
      expectSeeOther(await set(path, 'EXECUTIONDURATION', asked), PUBLIC_URL + path);
      expect(await shown(path, 'executionDuration')).to.equal(becomes);
    }
  });

  it('57 [P] the quote of a job that runs goes with its executionduration', async () => {
    const path = await gateway.executing({ EXECUTIONDURATION: '3600' });
    const startTime = Date.parse(child(await documentOf(gateway, path), 'uws:startTime').text);
    for (const [asked, seconds] of [['60', 60], ['0', 86_400], ['7200', 7200]] as const) {
      await set(path, 'EXECUTIONDURATION', asked);
      expect(await shown(path, 'quote')).to.equal(new Date(startTime + seconds * 1000).toISOString());
    }
    await gateway.client.post(path, { EXECUTIONDURATION: '90' });
    expect(await shown(path, 'quote')).to.equal(new Date(startTime + 90_000).toISOString());
  });

  it('57 [P] a change that comes while the job is being started counts for its quote', async () => {
    const release = gateway.engine.hold('start');
    const path = await gateway.create({ IMAGE, PHASE: 'RUN', EXECUTIONDURATION: '3600' });
    await gateway.engine.whenCalled('start', idOf(path));
    await set(path, 'EXECUTIONDURATION', '60');
    expect(await shown(path, 'quote')).to.equal('');
    release();
    const { startTime, quote } = await gateway.jobs.until(idOf(path), (job) => job.phase === 'EXECUTING' && job.quote === (job.startTime ?? 0) + 60_000);
    expect(quote).to.equal((startTime ?? 0) + 60_000);
  });

  it('5.4 executionduration missing, abc, -1, 1.5, empty -> 400; of a job that is over -> 403', async () => {
    const path = await gateway.create();
    for (const value of ['abc', '-1', '1.5', '', '3600.0', ' 5']) expectRefused(await set(path, 'EXECUTIONDURATION', value), 400, 'EXECUTIONDURATION');
    expectRefused(await gateway.client.post(`${path}/executionduration`, {}), 400, 'EXECUTIONDURATION');
    for (const phase of ['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED'] as const) {
      expectRefused(await set(await gateway.stored({ phase, endTime: 1 }), 'EXECUTIONDURATION', '5'), 403, phase);
    }
  });

  it('79 [M] over its executionDuration a job is ABORTED, its results kept, with the reason at /error', async () => {
    const path = await gateway.executing({ EXECUTIONDURATION: '10' });
    gateway.engine.write(idOf(path), 'stdout', 'half way');
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + 10_000);
    gateway.clock.advance(10_000);
    await gateway.reaches(path, 'ABORTED');
    await gateway.jobs.until(idOf(path), ({ results }) => results.some(({ size }) => size !== undefined));
    expect((await gateway.client.get(`${path}/results/stdout`)).text).to.equal('half way');
    const error = await gateway.client.get(`${path}/error`);
    expect([error.status, error.text]).to.deep.equal([200, child(child(await documentOf(gateway, path), 'uws:errorSummary'), 'uws:message').text]);
    expect(error.text).to.include('executionDuration of 10 s');
  });

  it('5.4 executionduration below the time already run -> 303, and the job is aborted', async () => {
    const path = await gateway.executing();
    gateway.clock.advance(5000);
    expectSeeOther(await set(path, 'EXECUTIONDURATION', '3'), PUBLIC_URL + path);
    await gateway.reaches(path, 'ABORTED');
  });
});

describe('UWS 1.1 §2.2.3.2 deletion and destruction', () => {
  for (const archive of [0, 1000]) {
    describe(archive === 0 ? 'where nothing is archived' : 'where records are archived', () => {
      const gateway = uwsGateway({ execution: { archive } });

      it('80 [M] at its destruction a running job is aborted, its container and results removed', async () => {
        const path = await gateway.executing({ DESTRUCTION: '2026-01-01T00:00:30Z' });
        gateway.engine.write(idOf(path), 'stdout', 'x');
        await eventually(async () => (await gateway.client.get(`${path}/phase`)).text !== 'EXECUTING', gateway.clock);
        expect(gateway.clock.now()).to.be.at.least(Date.UTC(2026, 0, 1, 0, 0, 30));
        await eventually(() => !gateway.engine.jobs().includes(idOf(path)), gateway.clock);
        await eventually(async () => !(await gateway.jobs.results.jobs()).includes(idOf(path)), gateway.clock);
        if (archive === 0) return expectRefused(await gateway.client.get(path), 404);
        await gateway.reaches(path, 'ARCHIVED');
        expect(child(await documentOf(gateway, path), 'uws:results').children).to.deep.equal([]);
        expectRefused(await gateway.client.get(`${path}/results/stdout`), 404);
        expectSeeOther(await gateway.client.delete(path), LIST);
        expectRefused(await gateway.client.get(path), 404);
      });
    });
  }
});

describe('UWS 1.1 §2.2.3.2 deletion', () => {
  const gateway = uwsGateway();

  const ways: Readonly<Record<string, (path: string) => Promise<Answer>>> = {
    '81 [M] DELETE': (path) => gateway.client.delete(path),
    '82 [M] ACTION=DELETE': (path) => gateway.client.post(path, { ACTION: 'DELETE' }),
    '82 [M] ACTION=DELETE in the query': (path) => gateway.client.send('POST', `${path}?action=DELETE`),
    '82 [M] ACTION=DELETE in JSON': (path) => gateway.client.send('POST', path, { json: { action: 'DELETE' } }),
  };
  for (const [title, remove] of Object.entries(ways)) {
    it(`${title} is a 303 to the list; then 404, and nothing is left`, async () => {
      const path = await gateway.executing();
      gateway.engine.write(idOf(path), 'stdout', 'x');
      expectSeeOther(await remove(path), LIST);
      for (const rest of ['', '/phase', '/results', '/results/stdout', '/parameters']) expectRefused(await gateway.client.get(path + rest), 404);
      expect((await gateway.client.get('/uws/docker')).text).to.not.include(idOf(path));
      await eventually(() => !gateway.engine.jobs().includes(idOf(path)), gateway.clock);
      await eventually(async () => !(await gateway.jobs.results.jobs()).includes(idOf(path)), gateway.clock);
      await eventually(async () => (await gateway.jobs.store.deleted(10)).length === 0, gateway.clock);
    });
  }

  it('81 5.4 DELETE twice -> 404', async () => {
    const path = await gateway.create();
    expectSeeOther(await gateway.client.delete(path), LIST);
    expectRefused(await gateway.client.delete(path), 404);
    expectRefused(await gateway.client.post(path, { ACTION: 'DELETE' }), 404);
  });

  it('5.4 DELETE of a job whose container will not stop -> 303 now, the container is killed afterwards', async () => {
    const path = await gateway.create();
    gateway.engine.plan(idOf(path), { ignoresStop: true });
    await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.reaches(path, 'EXECUTING');
    expectSeeOther(await gateway.client.delete(path), LIST);
    expectRefused(await gateway.client.get(path), 404);
    await gateway.engine.whenCalled('stop', idOf(path));
    gateway.clock.advance(10_000);
    await eventually(() => !gateway.engine.jobs().includes(idOf(path)));
  });

  it('85 [R] 5.4 a POST without a known action never deletes', async () => {
    const path = await gateway.create();
    for (const form of [{}, { ACTION: 'delete' }, { ACTION: 'FOO' }, { ACTION: '' }, [['ACTION', 'DELETE'], ['ACTION', 'DELETE']], { FOO: 'DELETE' }, { _method: 'DELETE' }] as const) {
      expectRefused(await gateway.client.post(path, form), 400);
    }
    expectRefused(await gateway.client.send('POST', path), 400);
    expectRefused(await gateway.client.send('POST', path, { headers: { 'x-http-method-override': 'DELETE' } }), 400);
    expect((await gateway.client.send('GET', path, { headers: { 'x-http-method-override': 'DELETE' } })).status).to.equal(200);
    expect(await gateway.phase(path)).to.equal('PENDING');
  });
});

describe('UWS 1.1 §2.2.3.7 parameters', () => {
  const gateway = uwsGateway({ execution: NO_SLOTS });
  const parameters = async (path: string): Promise<unknown> => JSON.parse((await gateway.client.get(`${path}/parameters`, { accept: 'application/json' })).text);

  it('83 [P] every change is answered with exactly 303', async () => {
    const path = await gateway.create();
    const changes: readonly [string, Readonly<Record<string, string>>][] = [
      ['/parameters', { 'ENV.X': '1' }], ['', { 'ENV.X': '2' }], ['/destruction', { DESTRUCTION: '2026-01-05' }], ['/executionduration', { EXECUTIONDURATION: '5' }],
      ['', { DESTRUCTION: '2026-01-06', EXECUTIONDURATION: '6', RUNID: 'r', IMAGE }], ['/phase', { PHASE: 'RUN' }], ['/phase', { PHASE: 'ABORT' }],
    ];
    for (const [child, form] of changes) expectSeeOther(await gateway.client.post(path + child, form), PUBLIC_URL + path);
    expectSeeOther(await gateway.client.delete(path), LIST);
  });

  it('84 [M] 5.4 are changed while the job is PENDING, and not afterwards', async () => {
    const path = await gateway.create({ IMAGE, 'ENV.X': '1', ARG: 'a' });
    expectSeeOther(await gateway.client.post(`${path}/parameters`, [['env.X', '2'], ['ARG', 'b'], ['ARG', 'c'], ['RUNID', 'later']]), PUBLIC_URL + path);
    expect(await parameters(path)).to.deep.equal({ IMAGE, 'ENV.X': '2', ARG: ['b', 'c'] });
    expect(child(await documentOf(gateway, path), 'uws:runId').text).to.equal('later');
    for (const phase of PHASES.filter((each) => each !== 'PENDING')) {
      const other = await gateway.stored({ phase, parameters: [{ name: 'ENV.X', value: '1' }] });
      for (const target of [`${other}/parameters`, other]) expectRefused(await gateway.client.post(target, { 'ENV.X': '2' }), 403, phase);
      expectRefused(await gateway.client.send('PUT', `${other}/parameters/ENV.X`, { body: '2' }), 403, phase);
      expect(await parameters(other)).to.deep.equal({ 'ENV.X': '1' });
    }
  });

  it('5.4 a name that is unknown -> 400 with those that are possible there, controls too', async () => {
    const path = await gateway.create();
    for (const [target, form, told] of [
      [`${path}/phase`, { PHASE: 'RUN', TIMEOUT: '5' }, /^BadParameter: "TIMEOUT" is no parameter of this resource; it takes PHASE or MESSAGE\n$/],
      [`${path}/executionduration`, { DESTRUCTION: '2026-01-03' }, /^BadParameter: "DESTRUCTION" .* it takes EXECUTIONDURATION or LIFETIME\n$/],
      [`${path}/destruction`, { IMAGE }, /^BadParameter: "IMAGE" .* it takes DESTRUCTION\n$/],
      [`${path}/parameters`, { TIMEOUT: '5' }, /"TIMEOUT"; allowed here: IMAGE, .*PORT, RUNID\n$/],
      [path, { TIMEOUT: '5' }, /"TIMEOUT"; allowed here: IMAGE, .*PORT, ACTION, PHASE, MESSAGE, RUNID, DESTRUCTION, EXECUTIONDURATION, LIFETIME\n$/],
      ['/uws/docker', { TIMEOUT: '5' }, /"TIMEOUT"; allowed here: IMAGE, .*PORT, PHASE, RUNID, .*EXECUTIONDURATION, LIFETIME, DECISION\n$/],
      ['/uws/compose', { IMAGE }, /"IMAGE"; allowed here: COMPOSEFILE, .*SERVICE, PHASE, RUNID, .*DECISION\n$/],
    ] as const) {
      const answer = await gateway.client.post(target, form);
      expectRefused(answer, 400);
      expect(answer.text, target).to.match(told);
    }
  });

  it('5.4 a name that is unknown -> 400; one that was not given before -> added', async () => {
    const path = await gateway.create();
    expectRefused(await gateway.client.post(`${path}/parameters`, { 'ENV.X': '1', COMAND: 'x' }), 400, 'COMAND');
    expectRefused(await gateway.client.post(`${path}/parameters`, {}), 400);
    expect(await parameters(path)).to.deep.equal({ IMAGE });
    expectSeeOther(await gateway.client.post(`${path}/parameters`, { 'ENV.X': '1' }), PUBLIC_URL + path);
    expect(await parameters(path)).to.deep.equal({ IMAGE, 'ENV.X': '1' });
  });

  it('PUT sets one parameter to the body', async () => {
    const path = await gateway.create();
    const answer = await gateway.client.send('PUT', `${path}/parameters/env.TEXT`, { body: 'two\nlines', headers: { 'content-type': 'text/plain' } });
    expectSeeOther(answer, PUBLIC_URL + path);
    expect((await gateway.client.get(`${path}/parameters/ENV.TEXT`)).text).to.equal('two\nlines');
    expectRefused(await gateway.client.send('PUT', `${path}/parameters/ENV.TEXT`, { body: '{}', headers: { 'content-type': 'application/json' } }), 415);
    expectRefused(await gateway.client.send('PUT', `${path}/parameters/BOGUS`, { body: 'x' }), 400, 'BOGUS');
  });

  it('a change that is refused in one part changes nothing', async () => {
    const path = await gateway.create();
    const before = (await gateway.client.get(path)).text;
    for (const form of [{ 'ENV.X': '1', DESTRUCTION: '2025-01-01' }, { EXECUTIONDURATION: '5', IMAGE: 'NOT A NAME' }, { RUNID: 'x', ARG: 'a', COMMAND: 'b' }] as const) {
      expectRefused(await gateway.client.post(path, form), 400);
    }
    gateway.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'not this one' };
    try {
      expectRefused(await gateway.client.post(path, { IMAGE: 'registry.test/other:2', EXECUTIONDURATION: '7' }), 403, 'not this one');
    } finally {
      gateway.policy.refusal = undefined;
    }
    expect((await gateway.client.get(path)).text).to.equal(before);
  });
});

describe('UWS 1.1 §2.2.3 changes in JSON', () => {
  const gateway = uwsGateway({ execution: NO_SLOTS });
  const job = async (path: string): Promise<Partial<Record<keyof Job | 'runId', unknown>>> => JSON.parse((await gateway.client.get(path, { accept: 'application/json' })).text) as Partial<Job>;

  it('every change can be asked for in JSON, with the names of the document', async () => {
    const path = await gateway.create();
    const changes: readonly [string, unknown][] = [
      ['/parameters', { parameters: { 'ENV.X': '1', CORES: 2 }, runId: 'mine' }], ['/destruction', { destruction: '2026-01-05T00:00:00Z' }],
      ['/executionduration', { executionDuration: 77 }], ['', { parameters: { 'ENV.Y': '2' } }], ['/phase', { phase: 'RUN' }],
    ];
    for (const [child, json] of changes) expectSeeOther(await gateway.client.send('POST', path + child, { json }), PUBLIC_URL + path);
    expect(await job(path)).to.deep.include({
      parameters: { IMAGE, 'ENV.X': '1', CORES: '2', 'ENV.Y': '2' }, runId: 'mine', destruction: '2026-01-05T00:00:00.000Z', executionDuration: 77, phase: 'QUEUED',
    });
  });

  it('a member that does not belong there is a 400 that names it', async () => {
    const path = await gateway.create();
    for (const [child, json, naming] of [
      ['/phase', { phase: 'run' }, 'phase'], ['/phase', { phase: 'RUN', extra: 1 }, 'extra'], ['/phase', {}, 'phase'], ['/executionduration', { executionDuration: 1.5 }, 'executionDuration'],
      ['/destruction', { destruction: 5 }, 'destruction'], ['/parameters', { phase: 'RUN' }, 'phase'], ['', { action: 'delete' }, 'action'],
    ] as const) {
      expectRefused(await gateway.client.send('POST', path + child, { json }), 400, naming);
    }
  });
});
