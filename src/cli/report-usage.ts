import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Instant, SystemClock } from '../clock.ts';
import { loadConfig } from '../config.ts';
import { formatInstant, parseInstant } from '../job/instant.ts';
import { readUsage } from '../store/sqlite-usage-report.ts';
import { parseDuration } from '../task/units.ts';
import { configFile } from './config-option.ts';
import { csvOf, rounded, tableOf } from './usage-print.ts';
import { GROUPINGS, usageTable } from './usage-table.ts';

/** `pratique usage`: what jobs have used within a period, by whom; a table, JSON or CSV. A gateway may run meanwhile, or none. Returns 0. */
export async function reportUsage(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { config: { type: 'string', short: 'c' }, since: { type: 'string', default: '30d' }, until: { type: 'string' }, by: { type: 'string', default: 'owner' }, json: { type: 'boolean' }, csv: { type: 'boolean' } },
  });
  const by = GROUPINGS.find((grouping) => grouping === values.by);
  if (by === undefined) throw new Error(`--by is one of ${GROUPINGS.join(', ')}: ${values.by}`);
  if (values.json === true && values.csv === true) throw new Error('--json or --csv, not both');
  const now = new SystemClock().now();
  const period = { since: instantOf('--since', values.since, now), until: values.until === undefined ? now : instantOf('--until', values.until, now) };
  const { data } = await loadConfig(configFile(values.config, environment), environment);
  const { rows, total } = usageTable(readUsage(join(data, 'jobs.db'), period.since), by, period, now);
  const [since, until] = [formatInstant(period.since), formatInstant(period.until)];
  if (values.json === true) console.log(JSON.stringify({ since, until, by, rows: rows.map(rounded), total: rounded(total) }, null, 2));
  else if (values.csv === true) console.log(csvOf(rows, by));
  else console.log(`from ${since} to ${until}\n\n${tableOf(rows, total, by)}`);
  return 0;
}

/** An instant, a day, or how long ago. Throws where it is none of these. */
function instantOf(option: string, text: string, now: Instant): Instant {
  const ago = /[a-z]/i.test(text) ? parseDuration(text) : undefined;
  const instant = ago === undefined ? parseInstant(text) : now - ago * 1000;
  if (instant === undefined) throw new Error(`${option} is no instant such as 2026-01-31 or 2026-01-31T12:00:00Z, nor a time ago such as 7d: ${text}`);
  return instant;
}
