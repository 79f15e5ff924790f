import { unwatchFile, watchFile } from 'node:fs';
import { parseArgs } from 'node:util';
import { SystemClock } from '../clock.ts';
import { type Config, loadConfig } from '../config.ts';
import { configFile } from './config-option.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { createLogger, type Logger } from '../logger.ts';
import { loadPolicyFile } from '../policy/policy-file.ts';

/** What is under way when the store has failed has so long to be answered (milliseconds). */
const LAST = 5_000;

/** Between two looks at the policy's file (milliseconds). */
const LOOK = 1_000;

/**
 * `pratique serve`: runs until SIGTERM or SIGINT; SIGHUP, or a change of its file, puts a new policy in force; SIGUSR2 drains.
 * Ends the process with 1 when its store can no longer be written.
 * Throws ConfigInvalid, PolicyInvalid, or an Error that says why the gateway could not start.
 */
export async function serve(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { config: { type: 'string', short: 'c' } } });
  const config = await loadConfig(configFile(values.config, environment), environment);
  const logger = createLogger(config.log);
  const clock = new SystemClock();
  const gateway = await startGateway(config, clock, logger);
  logger.info({ address: gateway.address, baseUrl: config.baseUrl, config: config.file ?? 'none', data: config.data }, 'Pratique serves');
  const unwatch = watchPolicy(config, gateway, logger);
  const failure = await Promise.race([untilToldToStop(gateway, logger), ...(gateway.failed === undefined ? [] : [gateway.failed.then((reason) => ({ reason }))])]);
  unwatch();
  if (failure !== undefined) {
    logger.error({ err: failure.reason }, 'the disk did not keep what the store has written: nothing can be written any more until the gateway has been started again, and it ends now; containers run on');
    await Promise.race([gateway.stop().catch(() => undefined), clock.sleep(LAST)]);
    // whatever still hangs on the disk
    process.exit(1);
  }
  logger.info({}, 'stopping; containers run on and are picked up at the next start');
  await gateway.stop();
  return 0;
}

/** Has every new policy in the file put in force, whoever writes or replaces it, and on SIGHUP. Returns what ends that. */
export function watchPolicy(config: Pick<Config, 'policyFile'>, gateway: Pick<Gateway, 'policy'>, logger: Logger, every = LOOK): () => void {
  const { policyFile } = config;
  const { policy } = gateway;
  if (policyFile === undefined || policy === undefined) return () => undefined;
  const reload = (): void => {
    policy.reload(() => loadPolicyFile(policyFile)).catch((error: unknown) => logger.error({ err: error }, 'the policy could not be read; the old one stays in force'));
  };
  process.on('SIGHUP', reload);
  // by looking: editors and tools replace the file, and a watch would stay with the old one
  watchFile(policyFile, { interval: every, persistent: false }, reload);
  return () => {
    unwatchFile(policyFile, reload);
    process.off('SIGHUP', reload);
  };
}

async function untilToldToStop(gateway: Gateway, logger: Logger): Promise<undefined> {
  const drain = (): void => {
    logger.info({}, 'draining: no new jobs are taken or started');
    gateway.drain();
  };
  process.on('SIGUSR2', drain);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  process.off('SIGUSR2', drain);
  return undefined;
}
