import { expect } from 'chai';
import { Site } from '../support/site.ts';

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of a job as they come; ends with the stream. */
async function* eventsOf(url: string, last?: string): AsyncGenerator<Event> {
  const response = await fetch(`${url}/events`, { headers: last === undefined ? {} : { 'Last-Event-ID': last } });
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString('utf8');
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const fields = new Map(text.slice(0, end).split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      text = text.slice(end + 2);
      if (fields.has('event')) yield { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(fields.get('data') ?? '') as Event['data'] };
    }
  }
}

const line = ({ event, data }: Event): string => [event, data.line ?? data.phase].filter((part) => typeof part === 'string').join(' ');

describe('a job that is followed live, on a real engine', function () {
  this.timeout(120_000);
  const site = new Site();
  let speaks = '';
  /** Until it is stopped. */
  let works = '';

  before(async () => {
    await site.open('jobs: { slots: 4, lease: 1, defaultCores: 0.2, defaultMemory: 64M }\n');
    await site.start();
    works = await site.push('works', 'mkdir /output/.uws; i=0; while :; do i=$((i + 1)); echo "$i of many" > /output/.uws/next; mv /output/.uws/next /output/.uws/progress; sleep 0.2; done');
    speaks = await site.push('speaks', 'for i in 1 2 3 4; do echo "line $i"; sleep 1; done; echo bye >&2; echo x > /output/out.txt');
  });
  after(async () => {
    // what the gateway is still tidying up is not ours to remove
    while ((await site.remains()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await site.close();
  });

  it('tells lines as they are written, and goes on where another connection stopped', async () => {
    const job = await site.submit({ IMAGE: speaks, PHASE: 'RUN' });
    const first: Event[] = [];
    for await (const event of eventsOf(job)) {
      first.push(event);
      if (line(event) === 'stdout line 2') break;
    }
    expect((await site.job(job)).phase).to.equal('EXECUTING');
    const rest: Event[] = [];
    for await (const event of eventsOf(job, first.at(-1)?.id)) rest.push(event);
    const told = [...first, ...rest].filter(({ event }) => event !== 'info').map(line);
    expect(told.filter((each) => each.startsWith('stdout'))).to.deep.equal(['stdout line 1', 'stdout line 2', 'stdout line 3', 'stdout line 4']);
    expect(told.filter((each) => each.startsWith('stderr'))).to.deep.equal(['stderr bye']);
    expect(told.slice(-2).join(' ')).to.match(/end$/);
    expect(told).to.include.members(['phase EXECUTING', 'phase COMPLETED']);
  });

  it('tells how far it is, in the job\'s own words', async () => {
    const job = await site.submit({ IMAGE: works, PHASE: 'RUN' });
    const seen: unknown[] = [];
    for await (const { event, data } of eventsOf(job)) {
      if (event !== 'info' || data.progress === undefined) continue;
      seen.push(data.progress);
      if (seen.length === 2) break;
    }
    const [first = 0, second = 0] = seen.map((progress) => Number(/^(\d+) of many$/.exec(String(progress))?.[1]));
    expect(first).to.be.lessThan(second);
    await fetch(`${job}/phase`, { method: 'POST', body: new URLSearchParams({ PHASE: 'ABORT' }) });
    expect((await site.ended(job)).phase).to.equal('ABORTED');
  });

  it('shows stdout while it runs, whole and from where one stopped', async () => {
    const job = await site.submit({ IMAGE: speaks, PHASE: 'RUN' });
    await site.reaches(job, 'EXECUTING');
    const read = (range: string) => fetch(`${job}/results/stdout`, { headers: { Range: range } });
    let seen = '';
    while (!seen.endsWith('line 3\n')) {
      const response = await read(`bytes=${String(seen.length)}-`);
      expect(response.status).to.be.oneOf([206, 416]);
      const text = await response.text();
      if (response.status === 206) seen += text;
    }
    expect(seen).to.equal('line 1\nline 2\nline 3\n');
    expect((await site.ended(job)).phase).to.equal('COMPLETED');
    expect(await site.result(job, 'stdout')).to.equal('line 1\nline 2\nline 3\nline 4\n');
  });

  it('is answered at once through the synchronous door, with the job\'s own file', async () => {
    const quick = await site.push('quick', 'echo "<$NAME>" > /output/answer.txt');
    const response = await fetch(`${site.url}/uws/docker/sync`, { method: 'POST', body: new URLSearchParams({ IMAGE: quick, 'ENV.NAME': 'é &' }) });
    expect([response.status, await response.text(), response.url.endsWith('/results/answer.txt')]).to.deep.equal([200, '<é &>\n', true]);
  });
});
