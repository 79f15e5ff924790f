import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { parseInstant } from '../job/instant.ts';
import { matchesFilter } from '../policy/audit-log.ts';
import { readEntries } from '../policy/json-audit-log.ts';
import { configFile } from './config-option.ts';

/** `pratique audit`: the recorded decisions that match, one JSON object a line. Returns 0 when there was any, else 1. */
export async function audit(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { config: { type: 'string', short: 'c' }, id: { type: 'string' }, image: { type: 'string' }, since: { type: 'string' } },
  });
  const since = values.since === undefined ? undefined : parseInstant(values.since);
  if (values.since !== undefined && since === undefined) throw new Error(`--since is not an instant such as 2026-01-31T12:00:00Z: ${values.since}`);
  const filter = { ...(values.id === undefined ? {} : { id: values.id }), ...(values.image === undefined ? {} : { image: values.image }), ...(since === undefined ? {} : { since }) };
  const config = await loadConfig(configFile(values.config, environment), environment);
  let found = 0;
  for await (const entry of readEntries(join(config.data, 'audit.jsonl'))) {
    if (!matchesFilter(entry, filter)) continue;
    found += 1;
    console.log(JSON.stringify(entry));
  }
  return found > 0 ? 0 : 1;
}
