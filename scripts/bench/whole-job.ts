import Docker from 'dockerode';
import type { BenchSite } from './site.ts';
import { median, row, timed } from './measure.ts';

const docker = new Docker();
const RUNS = 15;

/** A whole job through the gateway against the raw sequence create, start, wait, logs, remove of the same container. */
export async function benchWholeJob(site: BenchSite): Promise<void> {
  await throughGateway(site);
  await raw(site);
  const ratios: number[] = [];
  const ours: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const gateway = await timed(() => throughGateway(site));
    const engine = await timed(() => raw(site));
    ours.push(gateway);
    ratios.push(gateway / engine);
  }
  row('whole job / raw engine sequence, one at a time (time)', `${median(ratios).toFixed(2)}  (${median(ours).toFixed(0)} ms)`, '<= 1.15');
  for (const atOnce of [4, 8]) {
    const pairs: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const gateway = await timed(() => many(atOnce, () => throughGateway(site)));
      const engine = await timed(() => many(atOnce, () => raw(site)));
      pairs.push(engine / gateway);
    }
    row(`whole job / raw engine sequence, ${String(atOnce)} at once (jobs per second)`, median(pairs).toFixed(2), '>= 0.9');
  }
}

/** Three jobs for each of `atOnce` workers. */
async function many(atOnce: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let job = 0; job < 3; job += 1) await work();
    }),
  );
}

async function throughGateway({ url, image }: BenchSite): Promise<void> {
  const created = await fetch(`${url}/uws/docker`, { method: 'POST', body: new URLSearchParams({ IMAGE: image, PHASE: 'RUN' }), redirect: 'manual' });
  const job = created.headers.get('location');
  if (created.status !== 303 || job === null) throw new Error(`not created: ${String(created.status)} ${await created.text()}`);
  for (let phase = 'QUEUED'; ; ) {
    const document = (await fetch(`${job}?WAIT=60&PHASE=${phase}`, { headers: { Accept: 'application/json' } }).then((response) => response.json())) as { phase: string; results: { id: string; size: number }[]; errorSummary: unknown };
    phase = document.phase;
    if (phase === 'COMPLETED' && document.results.some(({ id, size }) => id === 'stdout' && size === 6)) return;
    if (phase !== 'QUEUED' && phase !== 'EXECUTING') throw new Error(`the job ended in ${phase}: ${JSON.stringify(document.errorSummary)}`);
  }
}

/** The same container without the gateway: the same limits and confinement, no output volume, nothing verified or stored. */
async function raw({ image }: BenchSite): Promise<void> {
  const container = await docker.createContainer({
    Image: image.replace(/:1$/, ':raw'),
    Cmd: ['echo', 'hello'],
    User: '65534:65534',
    HostConfig: {
      Init: true, NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges:true'], PidsLimit: 256, Memory: 64 * 2 ** 20, NanoCpus: 2e8,
      Tmpfs: { '/tmp': 'size=16m', '/work': 'size=16m' }, LogConfig: { Type: 'local', Config: { 'max-size': '10m' } },
    },
  });
  await container.start();
  await container.wait();
  await container.logs({ stdout: true, stderr: true });
  await container.remove({ v: true });
}

/** Gives the image that the gateway has pulled by digest a tag, so that the raw sequence can name it. */
export async function tagForRaw({ image }: BenchSite): Promise<void> {
  const repository = image.replace(/:1$/, '');
  const found = (await docker.listImages()).find(({ RepoDigests }) => RepoDigests?.some((name) => name.startsWith(`${repository}@`)));
  if (found === undefined) throw new Error('the gateway has not pulled the image');
  await docker.getImage(found.Id).tag({ repo: repository, tag: 'raw' });
}

/** Jobs before the first that is measured. */
const WARM = 20;

/** Some jobs, so that everything is pulled and warm. */
export async function warmUp(site: BenchSite): Promise<void> {
  await throughGateway(site);
  await tagForRaw(site);
  for (let job = 0; job < WARM; job += 1) await throughGateway(site);
}
