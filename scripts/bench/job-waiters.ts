import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { eachOf, KeepAlive } from './keep-alive.ts';
import { median, row, timed } from './measure.ts';
import type { BenchSite } from './site.ts';

const WAITERS = 10_000;
/** Requests of others that are timed while they wait. */
const SAMPLES = 500;

/** Clients that hold `GET {job}?WAIT=-1`, each for a job of its own: what they cost, whom they slow, how fast they wake. */
export async function benchWaiters(site: BenchSite): Promise<void> {
  const client = new KeepAlive(16);
  const jobs: string[] = [];
  await eachOf(Array.from({ length: WAITERS }), 16, async () => {
    jobs.push((await client.send('POST', `${site.url}/uws/docker`, '')).location);
  });
  const other = jobs[0] ?? '';
  const before = { memory: site.memory(), times: await latencies(client, other) };
  const waiters = await openAll(site.url, jobs);
  const during = { memory: site.memory(), times: await latencies(client, other) };
  const delays: number[] = [];
  await eachOf(waiters, 16, async (waiter) => {
    await client.send('POST', `${waiter.job}/phase`, 'PHASE=ABORT');
    const changed = performance.now();
    delays.push((await waiter.woken) - changed);
  });
  for (const { socket } of waiters) socket.destroy();
  const name = `${String(WAITERS)} waiters`;
  row(`${name}: memory for each, its connection included`, `${((during.memory - before.memory) / WAITERS / 1024).toFixed(1)} KiB`, '');
  row(`${name}: GET of a job by others, with / without them (time)`, `${(median(during.times) / median(before.times)).toFixed(2)}  (p99 ${last(during.times, 0.99).toFixed(1)} ms)`, '');
  row(`${name}: from the 303 of the change to the waiter's answer`, `${last(delays, 0.5).toFixed(1)} ms, at most ${last(delays, 1).toFixed(1)}`, '<= 1000 ms');
  await eachOf(jobs, 16, async (job) => void (await client.send('DELETE', job)));
  client.close();
}

interface Waiter {
  readonly job: string;
  readonly socket: Socket;
  /** When the answer came (milliseconds of performance.now). */
  readonly woken: Promise<number>;
}

async function openAll(site: string, jobs: readonly string[]): Promise<readonly Waiter[]> {
  const { hostname, port } = new URL(site);
  const waiters: Waiter[] = [];
  await eachOf(jobs, 100, async (job) => {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const woken = once(socket, 'data').then(() => performance.now());
    // awaited when its job changes; that it breaks before then is told there
    woken.catch(() => undefined);
    socket.write(`GET ${new URL(job).pathname}?WAIT=-1 HTTP/1.1\r\nHost: bench\r\n\r\n`);
    waiters.push({ job, socket, woken });
  });
  // all have been read when a request sent after them has been answered
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return waiters;
}

async function latencies(client: KeepAlive, url: string): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < SAMPLES; i += 1) times.push(await timed(() => client.send('GET', url)));
  return times;
}

function last(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
