import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ConfigInvalid } from '../config.ts';
import { egressSchema } from '../egress/egress-config.ts';
import { EgressProxy } from '../egress/egress-proxy.ts';
import { createLogger } from '../logger.ts';
import { readYaml } from '../policy/policy-file.ts';

/**
 * `pratique egress --config FILE`: the way out of jobs whose rule gives them a network, to the hosts of the file; runs until SIGTERM or
 * SIGINT. Throws ConfigInvalid, or an Error that says why it cannot listen.
 */
export async function egress(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { config: { type: 'string', short: 'c' } } });
  if (values.config === undefined) throw new Error('egress takes --config FILE, which lists the hosts that jobs may reach');
  const parsed = egressSchema.safeParse(readYaml(await readFile(values.config, 'utf8')));
  if (!parsed.success) throw new ConfigInvalid(values.config, parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
  const logger = createLogger('info');
  const proxy = new EgressProxy(parsed.data, logger);
  logger.info({ port: await proxy.listen(), hosts: parsed.data.allow.length }, 'the way out is open');
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await proxy.close();
  return 0;
}
