import { unwatchFile, watchFile } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Clock, SystemClock } from '../clock.ts';
import { type Config, loadConfig } from '../config.ts';
import { configFile } from './config-option.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { createLogger, type Logger } from '../logger.ts';
import { loadPolicyFile } from '../policy/policy-file.ts';
import type { Signals } from './signals.ts';

/** What is under way when the store has failed has so long to be answered (milliseconds). */
const LAST = 5_000;

/** When told to end, the gateway has so long (milliseconds): who told it kills it after 30 s, say (compose.yml). */
const STOPPED_WITHIN = 20_000;

/** Between two looks at the policy's file (milliseconds). */
const LOOK = 1_000;

/**
 * `pratique serve`: runs until SIGTERM or SIGINT; SIGHUP, or a change of its file, puts a new policy in force; SIGUSR2 drains.
 * Ends the process with 1 when its store can no longer be written.
 * Throws ConfigInvalid, PolicyInvalid, or an Error that says why the gateway could not start.
 */
export async function serve(words: readonly string[], environment: NodeJS.ProcessEnv, signals: Signals): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { config: { type: 'string', short: 'c' } } });
  const config = await loadConfig(configFile(values.config, environment), environment);
  const logger = createLogger(config.log);
  const clock = new SystemClock();
  const gateway = await startGateway(config, clock, logger);
  const told = signals.whileServing();
  logger.info({ address: gateway.address, baseUrl: config.baseUrl, config: config.file ?? 'none', data: config.data }, 'Pratique serves');
  const unwatch = watchPolicy(config, gateway, logger);
  const failure = await Promise.race([untilToldToStop(told, gateway, logger), ...(gateway.failed === undefined ? [] : [gateway.failed.then((reason) => ({ reason }))])]);
  unwatch();
  if (failure !== undefined) {
    logger.error({ err: failure.reason }, 'the disk did not keep what the store has written: nothing can be written any more until the gateway has been started again, and it ends now; containers run on');
    await stopsWithin(LAST, gateway, clock).catch(() => undefined);
    // whatever still hangs on the disk
    process.exit(1);
  }
  logger.info({}, 'stopping; containers run on and are picked up at the next start');
  if (await stopsWithin(STOPPED_WITHIN, gateway, clock)) return 0;
  logger.warn({}, 'the engine or a client holds up the end, and is not waited for any longer; the next start finds everything as after a kill');
  process.exit(0);
}

/** Whether the gateway has stopped in so long (milliseconds): an engine that hangs answers no call. Throws what the stop throws. */
export async function stopsWithin(most: number, gateway: Pick<Gateway, 'stop'>, clock: Clock): Promise<boolean> {
  return Promise.race([gateway.stop().then(() => true), clock.sleep(most).then(() => false)]);
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

async function untilToldToStop(told: Promise<void>, gateway: Gateway, logger: Logger): Promise<undefined> {
  const drain = (): void => {
    logger.info({}, 'draining: no new jobs are taken or started');
    gateway.drain();
  };
  process.on('SIGUSR2', drain);
  await told;
  process.off('SIGUSR2', drain);
  return undefined;
}
