import { setMaxListeners } from 'node:events';
import { expect } from 'chai';
import { gatewaySchema } from '../../../src/config-schema.ts';
import { PHASES, type Phase } from '../../../src/job/phase.ts';
import type { Answer } from '../../support/http-client.ts';
import { child, parseXml } from '../../support/uws-documents.ts';
import { expectRefused, idOf, type UwsGateway, uwsGateway } from './uws-gateway.ts';

const CAP = 60;

/** A request that is expected to be held; it is, once this resolves. */
async function held(gateway: UwsGateway, target: string, sent: { readonly signal?: AbortSignal } = {}): Promise<{ readonly answer: Promise<Answer>; answered: boolean }> {
  const before = gateway.parts.waiting.waiters;
  const state = { answer: gateway.client.send('GET', target, sent), answered: false };
  void state.answer.then(() => (state.answered = true), () => undefined);
  while (gateway.parts.waiting.waiters === before && !state.answered) await new Promise(setImmediate);
  expect(state.answered, `${target} was answered at once`).to.equal(false);
  return state;
}

async function phaseIn(answer: Answer): Promise<string> {
  expect(answer.status, answer.text).to.equal(200);
  return child(await parseXml(answer.text), 'uws:phase').text;
}

/** Nobody waits any more. */
async function quiet(gateway: UwsGateway): Promise<void> {
  while (gateway.parts.waiting.waiters > 0) await new Promise(setImmediate);
}

const ACTIVE: readonly Phase[] = ['PENDING', 'QUEUED', 'EXECUTING'];

describe('UWS 1.1 §2.2.1.3 blocking', () => {
  const gateway = uwsGateway({ wait: { cap: CAP, waiters: 1000 }, execution: { offer: async () => ({ slots: 0, cores: 0, memory: 0 }) } });

  it('87 [M] WAIT=10 on PENDING is answered when 10 seconds are over, with 200', async () => {
    const path = await gateway.stored({});
    const request = await held(gateway, `${path}?WAIT=10`);
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + 10_000);
    gateway.clock.advance(9_999);
    // whatever was going to be answered by now has been, when another request has made the whole way
    await gateway.client.get(path);
    expect(request.answered).to.equal(false);
    gateway.clock.advance(1);
    expect(await phaseIn(await request.answer)).to.equal('PENDING');
  });

  it('88 [M] WAIT is answered at once in every phase that is not active', async () => {
    for (const phase of PHASES.filter((each) => !ACTIVE.includes(each))) {
      const path = await gateway.stored({ phase });
      for (const query of ['?WAIT=10', '?WAIT=-1', `?WAIT=10&PHASE=${phase}`]) expect(await phaseIn(await gateway.client.get(path + query))).to.equal(phase);
    }
  });

  it('89 [M] WAIT with another phase than the job\'s is answered at once', async () => {
    const path = await gateway.stored({});
    for (const phase of PHASES.filter((each) => each !== 'PENDING')) expect(await phaseIn(await gateway.client.get(`${path}?WAIT=10&PHASE=${phase}`))).to.equal('PENDING');
  });

  it('90 [M] WAIT with the phase that the job is in is held, in each of the active ones', async () => {
    for (const phase of ACTIVE) {
      const path = await gateway.stored({ phase });
      const request = await held(gateway, `${path}?WAIT=10&PHASE=${phase}`);
      await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
      expect(await phaseIn(await request.answer)).to.equal('ABORTED');
    }
  });

  it('91 [M] any change of phase answers the waiter, without time passing', async () => {
    const changes = [['PENDING', 'QUEUED'], ['PENDING', 'HELD'], ['QUEUED', 'EXECUTING'], ['EXECUTING', 'COMPLETED'], ['EXECUTING', 'ERROR'], ['EXECUTING', 'ABORTED'], ['EXECUTING', 'SUSPENDED'], ['EXECUTING', 'UNKNOWN']] as const;
    for (const [from, to] of changes) {
      const path = await gateway.stored({ phase: from });
      const request = await held(gateway, `${path}?WAIT=-1`);
      await gateway.store.changePhase(idOf(path), { from: [from], to });
      expect(await phaseIn(await request.answer)).to.equal(to);
    }
  });

  it('91 a change that is none of the phase keeps the waiter', async () => {
    const path = await gateway.stored({});
    const request = await held(gateway, `${path}?WAIT=-1`);
    await gateway.client.post(`${path}/executionduration`, { EXECUTIONDURATION: '77' });
    await gateway.client.get(path);
    expect(request.answered).to.equal(false);
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
    expect((await request.answer).text).to.include('<uws:executionDuration>77<');
  });

  it('92 [M] WAIT=-1 is held up to the cap, and answered then with 200', async () => {
    const path = await gateway.stored({});
    const request = await held(gateway, `${path}?WAIT=-1`);
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + CAP * 1000);
    gateway.clock.advance(CAP * 1000);
    expect(await phaseIn(await request.answer)).to.equal('PENDING');
  });

  it('93 [R] the cap is what the site says, its default between 30 s and what proxies bear', async () => {
    expect(gatewaySchema.parse({}).wait.longest).to.be.within(30, 60);
  });

  it('94 [R] 5.3 WAIT that is no number is 400, 0 is at once, 20 digits are the cap', async () => {
    const path = await gateway.stored({});
    for (const wait of ['abc', '1.5', '', '1e2', '-2', '+5', '%205', '0x10']) expectRefused(await gateway.client.get(`${path}?WAIT=${wait}`), 400, 'WAIT');
    for (const query of ['?WAIT=0', '?WAIT=0&PHASE=PENDING', '?wait=0']) expect(await phaseIn(await gateway.client.get(path + query))).to.equal('PENDING');
    for (const wait of ['100000', '2147483648', '99999999999999999999']) {
      const request = await held(gateway, `${path}?WAIT=${wait}`);
      await gateway.clock.whenSleepingUntil(gateway.clock.now() + CAP * 1000);
      gateway.clock.advance(CAP * 1000);
      expect((await request.answer).status).to.equal(200);
    }
  });

  it('95 [R] no wake-up is lost between reading the phase and waiting', async () => {
    const path = await gateway.stored({});
    const { service } = gateway.parts;
    const original = service.get.bind(service);
    let reads = 0;
    service.get = async (...given) => {
      const job = await original(...given);
      reads += 1;
      // between this answer and whatever the waiter does with it
      if (reads === 1) await gateway.store.changePhase(job.id, { from: ['PENDING'], to: 'QUEUED' });
      return job;
    };
    try {
      expect(await phaseIn(await gateway.client.get(`${path}?WAIT=-1`))).to.equal('QUEUED');
    } finally {
      service.get = original;
    }
  });

  it('96 [R] a closed connection frees its waiter; 1000 waiters hold nobody up', async () => {
    const path = await gateway.stored({});
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    const gone = Array.from({ length: 999 }, () => gateway.client.send('GET', `${path}?WAIT=-1`, { signal: abort.signal }).catch(() => undefined));
    while (gateway.parts.waiting.waiters < gone.length) await new Promise(setImmediate);
    expect(await gateway.phase(path)).to.equal('PENDING');
    expect((await gateway.client.get('/uws/docker?LAST=1')).status).to.equal(200);
    abort.abort();
    await Promise.all(gone);
    await quiet(gateway);
    expect(gateway.parts.waiting.waiters).to.equal(0);
  });

  it('98 [R] 5.3 DELETE answers the waiters of its job with 404', async () => {
    for (const remove of [(path: string) => gateway.client.delete(path), (path: string) => gateway.client.post(path, { ACTION: 'DELETE' })]) {
      const path = await gateway.stored({});
      const request = await held(gateway, `${path}?WAIT=-1`);
      expect((await remove(path)).status).to.equal(303);
      expectRefused(await request.answer, 404);
    }
  });

  it('99 [R] 5.3 HEAD and children are never held', async () => {
    const path = await gateway.stored({});
    const head = await gateway.client.send('HEAD', `${path}?WAIT=-1`);
    expect([head.status, head.text, head.headers['content-type']]).to.deep.equal([200, '', 'text/xml; charset=utf-8']);
    for (const name of ['phase', 'quote', 'results', 'parameters', 'owner', 'destruction', 'executionduration']) {
      expect((await gateway.client.get(`${path}/${name}?WAIT=10`)).status).to.equal(200);
    }
  });

  it('5.3 WAIT with a phase that is none, two WAIT, two PHASE -> 400', async () => {
    const path = await gateway.stored({});
    expectRefused(await gateway.client.get(`${path}?WAIT=5&PHASE=bogus`), 400, 'PHASE');
    expectRefused(await gateway.client.get(`${path}?PHASE=bogus`), 400, 'PHASE');
    expectRefused(await gateway.client.get(`${path}?WAIT=5&WAIT=5`), 400, 'WAIT');
    expectRefused(await gateway.client.get(`${path}?WAIT=5&wait=6`), 400, 'WAIT');
    expectRefused(await gateway.client.get(`${path}?WAIT=5&PHASE=PENDING&PHASE=QUEUED`), 400, 'PHASE');
  });

  it('5.3 WAIT=5&PHASE=COMPLETED -> at once, also when the job is COMPLETED; PHASE without WAIT -> at once', async () => {
    const [pending, completed] = [await gateway.stored({}), await gateway.stored({ phase: 'COMPLETED' })];
    expect(await phaseIn(await gateway.client.get(`${pending}?WAIT=5&PHASE=COMPLETED`))).to.equal('PENDING');
    expect(await phaseIn(await gateway.client.get(`${completed}?WAIT=5&PHASE=COMPLETED`))).to.equal('COMPLETED');
    expect(await phaseIn(await gateway.client.get(`${pending}?PHASE=COMPLETED`))).to.equal('PENDING');
    expect(await phaseIn(await gateway.client.get(`${pending}?PHASE=PENDING`))).to.equal('PENDING');
  });

  it('the waiter reads the job in JSON when it asks for JSON', async () => {
    const path = await gateway.stored({});
    const request = await held(gateway, `${path}?WAIT=-1&RESPONSEFORMAT=json`);
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
    expect(JSON.parse((await request.answer).text)).to.include({ phase: 'ABORTED' });
  });
});

describe('UWS 1.1 §2.2.1.3 the limits of blocking', () => {
  const gateway = uwsGateway({ wait: { cap: CAP, waiters: 2 } });

  it('97 [R] 5.3 over the limit of waiters the answer is 200 at once', async () => {
    const path = await gateway.stored({});
    const requests = [await held(gateway, `${path}?WAIT=-1`), await held(gateway, `${path}?WAIT=-1`)];
    expect(await phaseIn(await gateway.client.get(`${path}?WAIT=-1`))).to.equal('PENDING');
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
    for (const { answer } of requests) expect(await phaseIn(await answer)).to.equal('ABORTED');
    await quiet(gateway);
    const other = await gateway.stored({});
    const again = await held(gateway, `${other}?WAIT=-1`);
    await gateway.client.delete(other);
    expect((await again.answer).status).to.equal(404);
  });

  it('5.3 a shutdown answers all waiters with 200 and closes their connections', async () => {
    const path = await gateway.stored({});
    const request = await held(gateway, `${path}?WAIT=-1`);
    gateway.parts.waiting.close();
    const answer = await request.answer;
    expect([await phaseIn(answer), answer.headers.connection]).to.deep.equal(['PENDING', 'close']);
    expect(await phaseIn(await gateway.client.get(`${path}?WAIT=-1`))).to.equal('PENDING');
  });
});
