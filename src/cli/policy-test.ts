import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { loadConfig } from '../config.ts';
import { parseExpectations, testExpectations } from '../policy/policy-expectations.ts';
import { readYaml } from '../policy/policy-file.ts';
import { policySchema } from '../policy/policy-schema.ts';
import { parsePlatform } from './check.ts';
import { configFile } from './config-option.ts';
import { localJudge } from './local-judge.ts';

/** `pratique policy test FILE` (0 = all expectations are met, 1 = not) and `pratique policy schema` (JSON Schema of the file). */
export async function policy([action, ...words]: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  if (action === 'schema') {
    console.log(JSON.stringify(z.toJSONSchema(policySchema, { io: 'input', unrepresentable: 'any' }), null, 2));
    return 0;
  }
  if (action !== 'test') throw new Error('policy takes "test FILE" or "schema"');
  const { values, positionals } = parseArgs({ args: words, allowPositionals: true, options: { config: { type: 'string', short: 'c' }, platform: { type: 'string' } } });
  const [file] = positionals;
  if (file === undefined) throw new Error('policy test takes the file with the expectations');
  const list = parseExpectations(readYaml(await readFile(file, 'utf8')));
  const config = await loadConfig(configFile(values.config, environment), environment);
  const judge = await localJudge(config, values.platform === undefined ? undefined : parsePlatform(values.platform));
  try {
    const results = await testExpectations(list, async (task, caller, signal) => (await judge.policy.judge(task, caller, signal)).verdict, new AbortController().signal);
    for (const { text } of results) console.log(text);
    return results.every(({ met }) => met) ? 0 : 1;
  } finally {
    await judge.close();
  }
}
