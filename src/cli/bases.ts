import { parseArgs } from 'node:util';
import { SystemClock } from '../clock.ts';
import { loadConfig } from '../config.ts';
import { basesLines, basesReport } from '../policy/bases-report.ts';
import { parsePlatform } from './check.ts';
import { configFile } from './config-option.ts';
import { localJudge } from './local-judge.ts';

/** `pratique bases`: what is approved, since when, and the digests seen; with --refresh the registries are asked first. */
export async function bases(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { config: { type: 'string', short: 'c' }, platform: { type: 'string' }, refresh: { type: 'boolean' } } });
  const config = await loadConfig(configFile(values.config, environment), environment);
  const judge = await localJudge(config, values.platform === undefined ? undefined : parsePlatform(values.platform));
  try {
    if (values.refresh === true) await judge.policy.catalogue.refresh();
    for (const line of basesLines(basesReport(judge.policy.policy, judge.policy.catalogue, new SystemClock().now()))) console.log(line);
    return 0;
  } finally {
    await judge.close();
  }
}
