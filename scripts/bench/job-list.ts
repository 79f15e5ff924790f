import { eachOf, KeepAlive } from './keep-alive.ts';
import { median, row, timed } from './measure.ts';
import type { BenchSite } from './site.ts';

const FEW = 100;
const MANY = 100_000;
const SAMPLES = 200;
const QUERIES = ['LAST=10', 'PHASE=ABORTED&LAST=10', 'PHASE=ABORTED', 'AFTER=2999-01-01'] as const;

/** Parts of a list of 100 000 jobs against the same of 100, and the memory that the whole list takes while it is sent. */
export async function benchJobList(site: BenchSite): Promise<void> {
  const client = new KeepAlive(16);
  const few = await filled(site, client, FEW, 20);
  const many = await filled(site, client, MANY - FEW, 0);
  for (const query of QUERIES) {
    const [a, b] = [few.get(query), many.get(query)];
    if (a === undefined || b === undefined) continue;
    row(`list with ${query}: ${String(MANY)} jobs / ${String(FEW)} jobs (time)`, `${(b.time / a.time).toFixed(2)}  (${b.time.toFixed(2)} ms, ${String(b.bytes)} bytes)`, '');
  }
  const before = site.memory();
  let peak = before;
  const sampling = setInterval(() => (peak = Math.max(peak, site.memory())), 5);
  let bytes = 0;
  const time = await timed(async () => ({ bytes } = await client.send('GET', `${site.url}/uws/docker`)));
  clearInterval(sampling);
  row(`the whole list of ${String(MANY)} jobs: memory at its peak, above before`, `${((peak - before) / 1e6).toFixed(0)} MB`, '');
  row('  sent', `${(bytes / 1e6).toFixed(0)} MB in ${(time / 1000).toFixed(1)} s`, '');
  client.close();
}

/** Adds jobs, `aborted` of them ABORTED, and measures each query. */
async function filled(site: BenchSite, client: KeepAlive, count: number, aborted: number): Promise<ReadonlyMap<string, { readonly time: number; readonly bytes: number }>> {
  const list = `${site.url}/uws/docker`;
  await eachOf([...Array(count).keys()], 32, async (index) => {
    const { location } = await client.send('POST', list, '');
    if (index < aborted) await client.send('POST', `${location}/phase`, 'PHASE=ABORT');
  });
  const measured = new Map<string, { time: number; bytes: number }>();
  for (const query of QUERIES) {
    const times: number[] = [];
    let bytes = 0;
    // once before it counts, so that the first list measured does not pay for the compiler
    for (let i = 0; i < SAMPLES; i += 1) await client.send('GET', `${list}?${query}`);
    for (let i = 0; i < SAMPLES; i += 1) times.push(await timed(async () => ({ bytes } = await client.send('GET', `${list}?${query}`))));
    measured.set(query, { time: median(times), bytes });
  }
  return measured;
}
