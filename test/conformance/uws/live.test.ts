import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { expectRefused, IMAGE, idOf, LIST, PUBLIC_URL, type UwsGateway, uwsGateway } from './uws-gateway.ts';

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A client of one event stream. */
class EventReader {
  readonly #response: IncomingMessage;
  readonly #events: AsyncGenerator<Event>;

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.#events = parse(response);
  }

  /** The next event; undefined at the end of the stream. */
  async next(): Promise<Event | undefined> {
    const result = await this.#events.next();
    return result.done === true ? undefined : result.value;
  }

  async all(): Promise<readonly Event[]> {
    const events: Event[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
    return events;
  }

  close(): void {
    this.#response.destroy();
  }
}

async function* parse(response: IncomingMessage): AsyncGenerator<Event> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = new Map(text.slice(0, end).split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      text = text.slice(end + 2);
      if (fields.has('event')) yield { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(fields.get('data') ?? '') as Event['data'] };
    }
  }
}

async function follow(gateway: UwsGateway, path: string, last?: string): Promise<EventReader> {
  const response = await gateway.client.open('GET', `${path}/events`, last === undefined ? {} : { 'last-event-id': last }, undefined);
  expect([response.statusCode, response.headers['content-type']]).to.deep.equal([200, 'text/event-stream; charset=utf-8']);
  return new EventReader(response);
}

const told = ({ event, data }: Event): string => (event === 'phase' ? String(data.phase) : event === 'end' ? 'end' : `${event} ${String(data.line)}`);
const news = (events: readonly Event[]): readonly string[] => events.filter(({ event }) => event !== 'info').map(told);

describe('events of a job', () => {
  const gateway = uwsGateway();

  it('tells phases and log lines as they come, and ends with the job', async () => {
    const path = await gateway.create();
    const reader = await follow(gateway, path);
    expect(told((await reader.next())!)).to.equal('PENDING');
    await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.reaches(path, 'EXECUTING');
    gateway.engine.write(idOf(path), 'stdout', 'first\nsecond, in two');
    gateway.engine.write(idOf(path), 'stdout', ' parts\r\n{"not": "ended"} \u0007');
    gateway.engine.finish(idOf(path), { code: 0, stderr: 'a complaint' });
    const events = news(await reader.all());
    expect(events.filter((each) => !each.startsWith('std')).join(' ')).to.be.oneOf(['QUEUED EXECUTING COMPLETED end', 'EXECUTING COMPLETED end']);
    expect(events.filter((each) => each.startsWith('stdout'))).to.deep.equal(['stdout first', 'stdout second, in two parts', 'stdout {"not": "ended"} \u0007']);
    expect(events.filter((each) => each.startsWith('stderr'))).to.deep.equal(['stderr a complaint']);
  });

  it('goes on from any event that a client has seen, nothing twice and nothing left out', async () => {
    const path = await gateway.executing();
    gateway.engine.write(idOf(path), 'stdout', 'one\ntwo\n');
    const first = await follow(gateway, path);
    const seen: Event[] = [];
    while (seen.filter(({ event }) => event === 'stdout').length < 2) seen.push((await first.next())!);
    first.close();
    gateway.engine.write(idOf(path), 'stdout', 'three\n');
    gateway.engine.finish(idOf(path), { stderr: 'x\n' });
    await gateway.reaches(path, 'COMPLETED');
    const whole = news(await (await follow(gateway, path)).all());
    expect(whole).to.deep.equal(['COMPLETED', 'stdout one', 'stdout two', 'stdout three', 'stderr x', 'end']);
    const afterOne = seen.find(({ data }) => data.line === 'one');
    expect(news(await (await follow(gateway, path, afterOne?.id)).all())).to.deep.equal(['COMPLETED', 'stdout two', 'stdout three', 'stderr x', 'end']);
    expect(news(await (await follow(gateway, path, seen.at(-1)?.id)).all())).to.deep.equal(['COMPLETED', 'stdout three', 'stderr x', 'end']);
  });

  it('tells a client that has seen the end to stay away', async () => {
    const path = await gateway.executing();
    gateway.engine.finish(idOf(path), { stdout: 'x' });
    await gateway.reaches(path, 'COMPLETED');
    const end = (await (await follow(gateway, path)).all()).at(-1);
    expect(end?.event).to.equal('end');
    expect((await gateway.client.get(`${path}/events`, { 'last-event-id': end?.id ?? '' })).status).to.equal(204);
  });

  it('tells an abort at once, and the last words of the container after it', async () => {
    const path = await gateway.create();
    gateway.engine.plan(idOf(path), { ignoresStop: true });
    await gateway.client.post(`${path}/phase`, { PHASE: 'RUN' });
    await gateway.reaches(path, 'EXECUTING');
    const reader = await follow(gateway, path);
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' });
    let event = await reader.next();
    while (event !== undefined && event.data.phase !== 'ABORTED') event = await reader.next();
    gateway.engine.write(idOf(path), 'stdout', 'dying\n');
    gateway.engine.finish(idOf(path), { code: 137 });
    expect(news(await reader.all())).to.deep.equal(['stdout dying', 'end']);
    gateway.clock.advance(10_000);
  });

  it('ends when the job is deleted, and when the gateway stops', async () => {
    const path = await gateway.create();
    const reader = await follow(gateway, path);
    await reader.next();
    await gateway.client.delete(path);
    expect(news(await reader.all())).to.deep.equal([]);
    const other = await gateway.create();
    const second = await follow(gateway, other);
    await second.next();
    gateway.parts.waiting.close();
    expect(news(await second.all())).to.deep.equal([]);
    await gateway.restart(() => undefined);
  });

  it('is refused like the job itself, and to cursors that are none', async () => {
    expectRefused(await gateway.client.get('/uws/docker/nobody/events'), 404);
    const path = await gateway.create();
    for (const id of ['x', 'PENDING', 'PENDING.1', 'FOO.1.2', 'PENDING.-1.0', 'PENDING.1.2.3']) {
      expectRefused(await gateway.client.get(`${path}/events`, { 'last-event-id': id }), 400);
    }
    expect((await gateway.client.send('POST', `${path}/events`)).status).to.equal(405);
  });

  it('tells what jobInfo tells, when it changes', async () => {
    const path = await gateway.create();
    const reader = await follow(gateway, path);
    await reader.next();
    expect((await reader.next())?.data).to.include({ rule: 'yes' });
    await gateway.store.update(idOf(path), ['PENDING'], { info: { message: 'waiting for something' } });
    expect((await reader.next())?.data).to.include({ activity: 'waiting for something' });
    reader.close();
  });
});

describe('UWS 1.1 §4.1 the synchronous door', () => {
  const gateway = uwsGateway({ wait: { cap: 60, waiters: 100 } });
  const open = async (form: Readonly<Record<string, string>> = { IMAGE }, headers: Readonly<Record<string, string>> = {}): Promise<string> => {
    const answer = await gateway.client.post('/uws/docker/sync', form, headers);
    expect([answer.status, answer.headers.location], answer.text).to.satisfy(([status, location]: [number, string]) => status === 303 && location.startsWith(`${LIST}/sync/`));
    return answer.headers.location ?? '';
  };
  const job = (sync: string): string => `/uws/docker/${sync.slice(sync.lastIndexOf('/') + 1)}`;
  const outcome = async (sync: string): Promise<string> => {
    const answer = await gateway.client.get(sync);
    expect(answer.status, answer.text).to.equal(303);
    return answer.headers.location ?? '';
  };

  it('creates, runs, waits, and redirects to the main result', async () => {
    for (const [files, main] of [[{}, 'stdout'], [{ 'only.fits': 'x' }, 'only.fits'], [{ 'a.txt': 'x', 'result.vot': 'y' }, 'result.vot'], [{ 'a.txt': 'x', 'b.txt': 'y' }, 'stdout']] as const) {
      const sync = await open();
      await gateway.reaches(job(sync), 'EXECUTING');
      const waiting = outcome(sync);
      gateway.engine.finish(idOf(sync), { stdout: 'hi', files });
      expect(await waiting).to.equal(`${PUBLIC_URL}${job(sync)}/results/${main}`);
      expect((await gateway.client.get(await outcome(sync))).status).to.equal(200);
      expect((await gateway.client.get('/uws/docker')).text).to.include(idOf(sync));
    }
  });

  it('redirects to the error of a job that failed, and to the job that was aborted', async () => {
    const failed = await open();
    await gateway.reaches(job(failed), 'EXECUTING');
    gateway.engine.finish(idOf(failed), { code: 3 });
    expect(await outcome(failed)).to.equal(`${PUBLIC_URL}${job(failed)}/error`);
    const aborted = await open();
    await gateway.client.post(`${job(aborted)}/phase`, { PHASE: 'ABORT' });
    await gateway.jobs.until(idOf(aborted), ({ phase }) => phase === 'ABORTED');
    expect(await outcome(aborted)).to.be.oneOf([PUBLIC_URL + job(aborted), `${PUBLIC_URL}${job(aborted)}/results/stdout`]);
  });

  it('redirects to itself when the cap is over, so that no proxy loses patience', async () => {
    const sync = await open();
    await gateway.reaches(job(sync), 'EXECUTING');
    const waiting = outcome(sync);
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + 60_000);
    gateway.clock.advance(60_000);
    expect(await waiting).to.equal(sync);
  });

  it('a cancelled request does not lose the job', async () => {
    const sync = await open();
    await gateway.reaches(job(sync), 'EXECUTING');
    const abort = new AbortController();
    const request = gateway.client.send('GET', sync, { signal: abort.signal }).catch(() => 'cancelled');
    while (gateway.parts.waiting.waiters === 0) await new Promise(setImmediate);
    abort.abort();
    expect(await request).to.equal('cancelled');
    while (gateway.parts.waiting.waiters > 0) await new Promise(setImmediate);
    expect(await gateway.phase(job(sync))).to.equal('EXECUTING');
    gateway.engine.finish(idOf(sync), { stdout: 'x' });
    await gateway.reaches(job(sync), 'COMPLETED');
  });

  it('takes what a creation takes, refuses what it refuses, and creates nothing on GET', async () => {
    expectRefused(await gateway.client.post('/uws/docker/sync', {}), 400, 'IMAGE');
    expectRefused(await gateway.client.post('/uws/docker/sync', { IMAGE, PHASE: 'ABORT' }), 400, 'PHASE');
    expectRefused(await gateway.client.get('/uws/docker/sync'), 404);
    expectRefused(await gateway.client.get('/uws/docker/sync/nobody'), 404);
    expect(await open({ IMAGE, RUNID: 'r' }, { 'idempotency-key': 'k' })).to.equal(await open({ IMAGE, RUNID: 'r' }, { 'idempotency-key': 'k' }));
  });
});

describe('Idempotency-Key', () => {
  const gateway = uwsGateway({ identify: async (ctx) => ({ id: ctx.get('x-user') || null, groups: [] }) });
  const post = (form: Readonly<Record<string, string>>, key: string, user = '') => gateway.client.post('/uws/docker', form, { 'idempotency-key': key, 'x-user': user });

  it('the same request again is the same job, also many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post({ IMAGE, PHASE: 'RUN' }, 'one')));
    expect(new Set(answers.map(({ status, headers }) => `${String(status)} ${String(headers.location)}`)).size).to.equal(1);
    expect(answers[0]?.status).to.equal(303);
    await gateway.reaches(gateway.client.pathOf(answers[0]?.headers.location ?? ''), 'EXECUTING');
    expect((await post({ IMAGE, PHASE: 'RUN' }, '"one"')).headers.location).to.equal(answers[0]?.headers.location);
  });

  it('another request with the key is a 409, another caller\'s key is his own, a deleted job frees it', async () => {
    const first = await post({ IMAGE }, 'two');
    expectRefused(await post({ IMAGE, RUNID: 'x' }, 'two'), 409, 'Idempotency-Key');
    expect((await post({ IMAGE }, 'two', 'alice')).headers.location).to.not.equal(first.headers.location);
    await gateway.client.delete(first.headers.location ?? '');
    expect((await post({ IMAGE }, 'two')).headers.location).to.not.equal(first.headers.location);
  });

  it('a secret is part of the request: another one is a 409, and its value is not in the answer', async () => {
    const first = await post({ IMAGE, 'SECRET.a': 'hush-1' }, 'secret');
    expect((await post({ IMAGE, 'SECRET.a': 'hush-1' }, 'secret')).headers.location).to.equal(first.headers.location);
    const other = await post({ IMAGE, 'SECRET.a': 'hush-2' }, 'secret');
    expectRefused(other, 409, 'Idempotency-Key');
    expect(other.text).to.not.include('hush');
  });

  it('a key that is none is a 400', async () => {
    for (const key of ['', ' ', 'x'.repeat(256), 'ü']) expectRefused(await post({ IMAGE }, key), 400);
  });

  it('a refused request leaves no key', async () => {
    gateway.policy.refusal = { code: 'image.not-listed', path: 'image', text: 'no' };
    expectRefused(await post({ IMAGE }, 'three'), 403);
    gateway.policy.refusal = undefined;
    expect((await post({ IMAGE }, 'three')).status).to.equal(303);
  });
});
