import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { backup as write } from '../store/backup.ts';
import { restore as read } from '../store/restore.ts';
import { configFile } from './config-option.ts';

/** `pratique backup FILE`: the data folder's state as one archive, while the gateway may run. Returns 0. */
export async function backup(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options: { config: { type: 'string', short: 'c' }, 'without-results': { type: 'boolean' } } });
  const file = only(positionals);
  const { data } = await loadConfig(configFile(values.config, environment), environment);
  const results = await write(data, file, { results: values['without-results'] !== true });
  console.log(`${file}: the store, the link key, the bases, the audit log, ${String(results)} results of ${data}`);
  return 0;
}

/** `pratique restore FILE`: puts it back into a data folder that no gateway uses. Returns 0. */
export async function restore(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options: { config: { type: 'string', short: 'c' }, replace: { type: 'boolean' }, 'keep-queue': { type: 'boolean' } } });
  const file = only(positionals);
  const { data } = await loadConfig(configFile(values.config, environment), environment);
  const { aside, ended } = await read(data, file, { replace: values.replace === true, keepQueue: values['keep-queue'] === true });
  if (aside !== undefined) console.log(`what was there is in ${aside}`);
  console.log(`${data} is as it was when ${file} was made${ended === 0 ? '' : `; ${String(ended)} jobs that were under way have ended in ERROR, for what became of them is not known`}`);
  return 0;
}

function only([file, ...more]: readonly string[]): string {
  if (file === undefined || more.length > 0) throw new Error('which file? One, please');
  return file;
}
