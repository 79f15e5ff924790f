import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { campaign } from '../test/faults/campaign.ts';
import { formatReport } from '../test/faults/report.ts';
import { ensurePrograms } from './setup/packages.ts';

const NEEDED = [
  { program: 'dockerd', package: 'docker.io' },
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'busybox', package: 'busybox-static' },
];

/** As shells tell it of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

/** `npm run test:faults [-- --seed N --faults N --minutes M --report FILE]`: exit code 1 where anything was not as promised, 130 where Ctrl-C ended it. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { seed: { type: 'string' }, faults: { type: 'string' }, minutes: { type: 'string' }, report: { type: 'string' } } });
  if (process.getuid?.() !== 0) throw new Error('the fault harness starts a Docker Engine of its own, which only root may');
  ensurePrograms(NEEDED, (line) => console.error(line));
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  console.log(`Seed ${String(seed)}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error('The fault under way is let finish, and everything taken down, which may take a minute. Once more: at once, whatever is left');
      stop.abort();
    });
  }
  const report = await campaign({ signal: stop.signal, seed, faults: Number(values.faults ?? 500), minutes: Number(values.minutes ?? 60), say: (line) => console.log(line) });
  if (stop.signal.aborted) return INTERRUPTED;
  const text = formatReport(report);
  console.log(`\n${text}`);
  if (values.report !== undefined) writeFileSync(values.report, `${text}\n`);
  return report.problems.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
