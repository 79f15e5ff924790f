import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import type { Caller } from '../../../src/caller.ts';
import { GatewayError } from '../../../src/errors.ts';
import { idOf, IMAGE, uwsGateway } from './uws-gateway.ts';

const MINUTE = 60_000;
const as = (name: string): { authorization: string } => ({ authorization: `Bearer ${name}` });

describe('answers that take long, and who they are for', () => {
  /** Who is known, and in which groups, at this moment. */
  const known = new Map<string, readonly string[]>();
  let looks = 0;
  const gateway = uwsGateway({
    wait: { cap: 60, waiters: 100, each: 2 },
    identify: async ({ req }): Promise<Caller> => {
      const name = req.headers.authorization?.slice('Bearer '.length) ?? '';
      const groups = known.get(name);
      looks += 1;
      if (groups === undefined) throw new GatewayError('Unauthenticated', 'the token has expired');
      return { id: name, groups, until: gateway.clock.now() + MINUTE };
    },
  });
  let program: Server;

  before(async () => {
    program = createServer();
    program.on('upgrade', (ask, socket: Socket) => {
      const accept = createHash('sha1').update(`${ask.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    program.on('request', (_ask, answer) => answer.write('begun'));
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    gateway.engine.listening.set(8080, (program.address() as AddressInfo).port);
  });
  beforeEach(() => known.clear());
  after(() => {
    program.closeAllConnections();
    program.close();
  });

  async function create(name: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
    const { headers } = await gateway.client.post('/uws/docker', { IMAGE, ...more }, as(name));
    return gateway.client.pathOf(headers.location ?? '');
  }

  async function executing(name: string): Promise<string> {
    const path = await create(name, { PORT: '8080', PHASE: 'RUN' });
    await gateway.jobs.inPhase(idOf(path), 'EXECUTING');
    return path;
  }

  /** Time passes until the credential has to be looked at again, and it was. */
  async function passes(): Promise<void> {
    await gateway.clock.whenSleepingUntil(gateway.clock.now() + MINUTE);
    const before = looks;
    gateway.clock.advance(MINUTE);
    while (looks === before) await new Promise(setImmediate);
  }

  async function rest(response: IncomingMessage): Promise<string> {
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
    return text;
  }

  const events = (path: string, name: string): Promise<IncomingMessage> => gateway.client.open('GET', `${path}/events`, as(name), undefined);

  it('events go on while the credential is good, and end when it is good no more', async () => {
    known.set('ada', []);
    const path = await create('ada');
    const response = await events(path, 'ada');
    const told = rest(response);
    await passes();
    await gateway.store.update(idOf(path), ['PENDING'], { info: { message: 'still told' } });
    await passes();
    known.delete('ada');
    await passes();
    expect(await told).to.include('still told');
  });

  it('events of a shared job end for who has left the group', async () => {
    known.set('ada', []).set('bob', ['friends']);
    const path = await create('ada');
    await gateway.client.post(`${path}/sharing`, { GROUP: 'friends' }, as('ada'));
    const told = rest(await events(path, 'bob'));
    known.set('bob', []);
    await passes();
    expect(await told).to.include('PENDING');
  });

  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };

  it('so does a WebSocket into a job, and an answer that the job does not end', async () => {
    known.set('ada', []);
    const path = await executing('ada');
    const { port } = gateway.server.address() as AddressInfo;
    const [, socket] = (await once(request({ host: '127.0.0.1', port, path: `${path}/endpoints/main/8080/ws`, headers: { ...upgrade, ...as('ada') } }).end(), 'upgrade')) as [unknown, Socket];
    const closed = once(socket, 'close');
    await passes();
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).to.equal('ping');
    const answer = await gateway.client.open('GET', `${path}/endpoints/main/8080/`, as('ada'), undefined);
    const broken = rest(answer).then(() => 'ended', () => 'broken off');
    known.delete('ada');
    await passes();
    await closed;
    expect(await broken).to.equal('broken off');
    known.set('ada', []);
    await gateway.client.send('DELETE', path, { headers: as('ada') });
  });

  it('of one caller there are so many at once: event streams, waiting answers, connections into jobs', async () => {
    known.set('ada', []).set('bob', []).set('carl', []).set('dora', []).set('eve', []).set('fay', []);
    const path = await executing('ada');
    const open: IncomingMessage[] = [];
    const follow = async (name: string, job: string): Promise<number> => {
      const response = await events(job, name);
      if (response.statusCode === 200) open.push(response);
      else response.resume();
      return response.statusCode ?? 0;
    };
    for (let i = 0; i < 40; i += 1) expect(await follow('ada', path)).to.equal(200);
    expect(await follow('ada', path)).to.equal(429);
    for (const name of ['bob', 'carl', 'dora', 'eve']) {
      const own = await create(name);
      for (let i = 0; i < 40; i += 1) expect(await follow(name, own)).to.equal(200);
    }
    expect(await follow('fay', await create('fay')), 'all together').to.equal(503);
    for (const stream of open.splice(0)) stream.destroy();
    while ((await follow('ada', path)) !== 200) await new Promise(setImmediate);
    open[0]?.destroy();

    const wait = (name: string, job: string): Promise<number> => gateway.client.get(`${job}?WAIT=60`, as(name)).then(({ status }) => status);
    const held = [wait('ada', path), wait('ada', path)];
    while (gateway.parts.waiting.waiters < 2) await new Promise(setImmediate);
    expect(await wait('ada', path), 'at once').to.equal(200);
    const other = await create('bob');
    const waits = wait('bob', other);
    while (gateway.parts.waiting.waiters < 3) await new Promise(setImmediate);

    const inside: IncomingMessage[] = [];
    for (let i = 0; i < 64; i += 1) inside.push(await gateway.client.open('GET', `${path}/endpoints/main/8080/`, as('ada'), undefined));
    expect(inside.map(({ statusCode }) => statusCode)).to.deep.equal(Array<number>(64).fill(200));
    const full = await gateway.client.get(`${path}/endpoints/main/8080/`, as('ada'));
    expect([full.status, full.text]).to.deep.equal([429, 'TooManyRequests: you have as many connections to your jobs as one may have at once\n']);
    for (const each of inside) each.destroy();
    let again = await gateway.client.open('GET', `${path}/endpoints/main/8080/`, as('ada'), undefined);
    while (again.statusCode !== 200) {
      again.resume();
      again = await gateway.client.open('GET', `${path}/endpoints/main/8080/`, as('ada'), undefined);
    }
    again.destroy();
    await gateway.client.post(`${other}/phase`, { PHASE: 'ABORT' }, as('bob'));
    // PENDING is an active phase too: its end wakes who waits
    expect(await waits).to.equal(200);
    await gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' }, as('ada'));
    expect(await Promise.all(held)).to.deep.equal([200, 200]);
  });
});
