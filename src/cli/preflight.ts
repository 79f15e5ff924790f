import { parseArgs } from 'node:util';
import { SystemClock } from '../clock.ts';
import { loadConfig } from '../config.ts';
import { DockerPreflight, preflightLines, preflightRefusal } from '../engine/docker-preflight.ts';
import { lackingOf } from '../engine/rule-needs.ts';
import { compilePolicy } from '../policy/rule.ts';
import { ruleNeeds } from '../site-offer.ts';
import { configFile } from './config-option.ts';

/**
 * `pratique preflight`: what the engine has of what jobs need here, a line for each thing; 0 = everything, 1 = jobs are refused,
 * all or those of some rules. Throws ConfigInvalid, and EngineUnavailable where no engine answers.
 */
export async function preflight(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { config: { type: 'string', short: 'c' } } });
  const config = await loadConfig(configFile(values.config, environment), environment);
  const rules = ruleNeeds(compilePolicy(config.policy));
  const engine = new DockerPreflight(config.engine, environment, new SystemClock());
  try {
    const report = await engine.ask();
    for (const line of preflightLines(report, rules)) console.log(line);
    return preflightRefusal(report) === undefined && rules.every(({ relaxed }) => lackingOf(relaxed, report).length === 0) ? 0 : 1;
  } finally {
    engine.close();
  }
}
