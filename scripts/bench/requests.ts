import { spawnSync } from 'node:child_process';
import { compare, median, rate, row, timed } from './measure.ts';
import type { BenchSite } from './site.ts';

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** Answers to single requests against a bare Koa with the same bytes. */
export async function benchRequests(site: BenchSite): Promise<void> {
  const created = await fetch(`${site.url}/uws/docker`, { method: 'POST', body: new URLSearchParams({ IMAGE: site.image }), redirect: 'manual' });
  const job = created.headers.get('location') ?? '';
  const accepts = `${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${site.image}`;
  for (const [name, url] of [['GET of a job document', job], ['/accepts for an image already judged', accepts]] as const) {
    const bare = await site.bareKoa(url);
    const { a, ratio } = await compare({ url, clients: 10, status: 200 }, { url: bare, clients: 10, status: 200 });
    row(`${name} / bare Koa, same bytes (rate)`, `${ratio.toFixed(2)}  (${a.toFixed(0)}/s)`, '>= 0.5');
  }
}

/** A question about an image that was never seen, in a warm gateway, against skopeo. */
export async function benchUnknownImage(site: BenchSite): Promise<void> {
  const ours: number[] = [];
  const ratios: number[] = [];
  for (let i = 0; i < 15; i += 1) {
    const image = await site.push(`job/unknown-${String(i)}`, String(Math.random()));
    const url = `${site.url}/accepts?tasktype=uri://docker-container&taskinfo.image=${image}`;
    const time = await timed(async () => {
      const answer = await fetch(url).then((response) => response.text());
      if (!answer.includes('"YES"')) throw new Error(answer);
    });
    const skopeo = await timed(async () => {
      const done = spawnSync('skopeo', ['inspect', '--tls-verify=false', '--config', `docker://${image}`]);
      if (done.status !== 0) throw new Error(done.stderr.toString());
    });
    ours.push(time);
    ratios.push(time / skopeo);
  }
  row('/accepts for an unknown image / skopeo inspect --config (time)', `${median(ratios).toFixed(2)}  (${median(ours).toFixed(1)} ms)`, '<= 0.4');
}

/** Jobs created a second, each on the disk before its 303. */
export async function benchCreation(site: BenchSite): Promise<void> {
  const body = new URLSearchParams({ IMAGE: site.image, COMMAND: 'echo "hello world"', 'ENV.BAND': 'r' }).toString();
  for (const clients of [1, 16]) {
    const perSecond = await rate({ url: `${site.url}/uws/docker`, method: 'POST', headers: FORM, body, clients, status: 303 });
    row(`job creation, durable before the 303, ${String(clients)} client${clients === 1 ? '' : 's'}`, `${perSecond.toFixed(0)}/s`, clients === 16 ? '>= 5000/s' : '');
  }
}
