import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type OpenApi, type RawRequest, RequestMaker } from './http-request.ts';
import { Random } from './random.ts';

/** More and other requests: FUZZ_REQUESTS=100000 FUZZ_SEED=7. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 4000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);

/** Requests under way at once. */
const AT_ONCE = 8;

/** In which every request must be answered to its end (milliseconds), and after which an event stream, which has none, is left. */
const DEADLINE = 15_000;
const ENOUGH = 1_500;

/** Memory that the process may have had at most (bytes): a few times what it has after its start. */
const MOST_MEMORY = 700 * 2 ** 20;

const HERE = dirname(fileURLToPath(import.meta.url));

/** Of the first answer, or of one after it where several requests came at once. */
const EVENT_STREAM = /^content-type: text\/event-stream/im;

interface RawAnswer {
  /** 0 = none came. */
  readonly status: number;
  /** Neither an answer nor the end of the connection came in time, or the answer did not end that should have. */
  readonly late: boolean;
  readonly head: string;
  readonly body: string;
}

/** Writes the bytes and reads until the end, or long enough where an answer has no end. */
function exchange(port: number, { bytes, wellFormed }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    const done = (isLate: boolean): void => {
      clearTimeout(late);
      clearTimeout(enough);
      socket.destroy();
      const text = received.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ''))?.[1] ?? 0);
      resolve({ status, late: isLate, head: end === -1 ? text : text.slice(0, end), body: received.subarray(end + 4).toString('utf8') });
    };
    const late = setTimeout(() => done(true), DEADLINE);
    let enough: NodeJS.Timeout | undefined;
    socket.on('data', (chunk: Buffer) => {
      if (received.length < 1_000_000) received = Buffer.concat([received, chunk]);
      if (EVENT_STREAM.test(received.toString('latin1'))) enough ??= setTimeout(() => done(false), ENOUGH);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => done(false));
    // half a request must come to an end; after a whole one an end would mean that nobody waits for the answer
    if (wellFormed) socket.write(bytes);
    else socket.end(bytes);
  });
}

/** What is wrong with an answer; undefined = nothing. */
function wrong(request: RawRequest, answer: RawAnswer): string | undefined {
  const { status, head, body, late } = answer;
  if (late) return status === 0 ? 'nothing in time, not even an end' : `an answer without an end, of status ${String(status)}`;
  if (status === 0) return request.wellFormed ? 'no answer' : undefined;
  if (status >= 500 && status !== 503) return `status ${String(status)}`;
  if (/node_modules|\.ts:\d+|\bat \S+ \(/.test(body) || body.includes(process.cwd())) return 'tells of the inside';
  if (/^x-injected/im.test(head)) return 'a header was smuggled in';
  if (status === 401 && !/^www-authenticate: /im.test(head)) return '401 without a challenge';
  if (status === 503 && !/^retry-after: /im.test(head)) return '503 without Retry-After';
  if (status === 405 && !/^allow: /im.test(head)) return '405 without Allow';
  return undefined;
}

describe(`the HTTP face under ${String(REQUESTS)} made-up requests (seed ${String(SEED)})`, function fuzz() {
  this.timeout(60_000 + REQUESTS * 50);
  let gateway: ChildProcess;
  let port = 0;
  let log = '';
  let exit: number | null | undefined;

  before(async () => {
    gateway = spawn(process.execPath, ['--import', 'tsx', join(HERE, 'gateway-process.ts')], { stdio: ['ignore', 'pipe', 'pipe'] });
    gateway.on('exit', (code) => (exit = code));
    gateway.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    if (gateway.stdout === null) throw new Error('no output');
    const [line] = (await once(gateway.stdout, 'data')) as [Buffer];
    port = Number(new URL(line.toString().trim()).port);
  });
  after(async () => {
    if (exit !== undefined) return;
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  });

  const get = async (path: string): Promise<RawAnswer> => exchange(port, { bytes: Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`), wellFormed: true, line: path });
  const memory = (): number => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(gateway.pid)}/status`, 'utf8'))?.[1] ?? Infinity) * 1024;

  it('has no 5xx but 503, no hang, no tale of its inside, bounded memory, and lives', async () => {
    const { body } = await get('/openapi.json');
    const maker = new RequestMaker(JSON.parse(body) as OpenApi, new Random(SEED));
    const [found, statuses, begin] = [[] as string[], new Map<number, number>(), memory()];
    let [left, served] = [REQUESTS, 0];
    const work = async (): Promise<void> => {
      while (left > 0 && exit === undefined) {
        left -= 1;
        const request = maker.make();
        const answer = await exchange(port, request);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.body.includes('served by a job')) served += 1;
        const problem = wrong(request, answer);
        if (problem !== undefined) found.push(`${problem}: ${request.line.slice(0, 300)}\n${request.bytes.toString('latin1').slice(0, 1500)}\n-> ${answer.body.slice(0, 300)}`);
        const [, list, id] = /^location: \S+\/uws\/(docker|compose)\/([0-9a-z.-]{36,50})\s*$/im.exec(answer.head) ?? [];
        if (list !== undefined && id !== undefined) maker.remember(list, id, left);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    console.log(`      answers: ${[...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${String(status)}: ${String(count)}`).join(', ')}`);
    console.log(`      memory: ${String(Math.round(begin / 2 ** 20))} MiB at the start, ${String(Math.round(memory() / 2 ** 20))} MiB at most`);
    expect(exit, `the process has ended: ${log.slice(-2000)}`).to.equal(undefined);
    expect(found.slice(0, 5)).to.deep.equal([]);
    expect(log).to.equal('');
    expect(memory()).to.be.below(MOST_MEMORY);
    expect((await get('/availability')).status).to.equal(200);
    expect(served, 'answers of what jobs serve').to.be.greaterThan(REQUESTS / 1000);
    // requests that are all refused for one reason would prove nothing
    for (const status of [200, 303, 400, 401, 403, 404]) expect(statuses.get(status) ?? 0, `answers with ${String(status)}`).to.be.greaterThan(REQUESTS / 200);
  });
});
