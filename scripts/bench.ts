import { machine, row } from './bench/measure.ts';
import { benchCreation, benchRequests, benchUnknownImage } from './bench/requests.ts';
import { benchJobList } from './bench/job-list.ts';
import { benchWaiters } from './bench/job-waiters.ts';
import { BenchSite } from './bench/site.ts';
import { benchWholeJob, warmUp } from './bench/whole-job.ts';
import { buildIfNeeded } from './demo/gateway-process.ts';
import { ensureEngine } from './setup/engine.ts';
import { ensurePrograms } from './setup/packages.ts';

const NEEDED = [
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'busybox', package: 'busybox-static' },
  { program: 'skopeo', package: 'skopeo' },
];

/** Jobs present when memory is looked at. */
const MANY = 10_000;

/** What can be measured: `npm run bench -- waiters`, say; without a name, the first figures. */
const PARTS: Readonly<Record<string, (site: BenchSite) => Promise<void>>> = { first: benchFirst, waiters: benchWaiters, lists: benchJobList };

/** `npm run bench`: figures measured side by side in one run, and what they should reach. Nothing is asserted. */
async function main([name = 'first']: readonly string[]): Promise<void> {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`there is no benchmark ${name}; there are ${Object.keys(PARTS).join(', ')}`);
  ensurePrograms(NEEDED, console.error);
  const engine = await ensureEngine(console.error);
  buildIfNeeded(console.error);
  const site = new BenchSite();
  try {
    await site.start(8);
    console.log(`${machine()}, Docker Engine ${engine.version}\n`);
    await part(site);
  } finally {
    await site.stop();
    await engine.stop();
  }
}

async function benchFirst(site: BenchSite): Promise<void> {
  row('memory, idle', megabytes(site.memory()), '<= 150 MB');
  await warmUp(site);
  await benchWholeJob(site);
  await benchUnknownImage(site);
  await benchRequests(site);
  await fill(site);
  row(`memory, ${String(MANY)} jobs just created`, megabytes(site.memory()), '');
  await site.restart();
  row(`memory, ${String(MANY)} jobs present, after a start`, megabytes(site.memory()), '<= 150 MB');
  await benchCreation(site);
}

async function fill(site: BenchSite): Promise<void> {
  const body = new URLSearchParams({ IMAGE: site.image }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  for (let made = 0; made < MANY; made += 100) {
    await Promise.all(Array.from({ length: 100 }, () => fetch(`${site.url}/uws/docker`, { method: 'POST', body, headers, redirect: 'manual' }).then((response) => response.text())));
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
