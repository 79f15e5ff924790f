import autocannon from 'autocannon';
import { cpus, totalmem } from 'node:os';

/** One request, repeated. */
export interface Load {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly clients: number;
  /** The only status that counts as done. */
  readonly status: number;
}

const SECONDS = 4;

/** Requests a second that this many clients get through. Throws when any answer is another than expected. */
export async function rate(load: Load): Promise<number> {
  const result = await autocannon({
    url: load.url,
    method: load.method ?? 'GET',
    connections: load.clients,
    duration: SECONDS,
    ...(load.body === undefined ? {} : { body: load.body }),
    ...(load.headers === undefined ? {} : { headers: load.headers }),
  });
  const statuses = result.statusCodeStats as Record<string, { count: number }> | undefined;
  const wrong = Object.entries(statuses ?? {}).filter(([status]) => status !== String(load.status));
  if (wrong.length > 0 || result.errors > 0) throw new Error(`${load.url}: ${JSON.stringify(wrong)}, ${String(result.errors)} errors`);
  return (statuses?.[String(load.status)]?.count ?? 0) / result.duration;
}

/** The rates of two loads, in turn A B A B …, so that a machine that slows down slows both; medians, and the median of the ratios. */
export async function compare(a: Load, b: Load, rounds = 3): Promise<{ readonly a: number; readonly b: number; readonly ratio: number }> {
  const as: number[] = [];
  const bs: number[] = [];
  await rate({ ...a, clients: a.clients });
  for (let round = 0; round < rounds; round += 1) {
    as.push(await rate(a));
    bs.push(await rate(b));
  }
  return { a: median(as), b: median(bs), ratio: median(as.map((value, i) => value / (bs[i] ?? NaN))) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** One line of the report: what was measured, and what it should be. */
export function row(name: string, figure: string, should: string): void {
  console.log(`${name.padEnd(62)} ${figure.padStart(28)}   ${should}`);
}

/** What the figures were seen on. */
export function machine(): string {
  const [cpu] = cpus();
  return `${String(cpus().length)} x ${cpu?.model ?? 'unknown CPU'}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, Node ${process.versions.node}`;
}
