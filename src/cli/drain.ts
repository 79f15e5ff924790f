import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { askGateway, type Order } from '../control/ask-gateway.ts';
import { CONTROL_SOCKET, type GatewayStatus } from '../control/gateway-status.ts';
import { parseDuration } from '../task/units.ts';
import { configFile } from './config-option.ts';

/** Between two looks at what still runs (milliseconds). */
const LOOK = 500;

/**
 * `pratique drain`: the running gateway takes and starts no more jobs; returns 0 when none runs any more, at once with `--no-wait`.
 * `--abort-after` ends those that still run by then, with a message; `--undo` takes jobs again. A restart does, too.
 */
export async function drain(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { config: { type: 'string', short: 'c' }, 'abort-after': { type: 'string' }, 'no-wait': { type: 'boolean' }, undo: { type: 'boolean' } },
  });
  const after = values['abort-after'] === undefined ? undefined : parseDuration(values['abort-after']);
  if (values['abort-after'] !== undefined && after === undefined) throw new Error(`--abort-after is not a duration such as 10m: ${values['abort-after']}`);
  const { data } = await loadConfig(configFile(values.config, environment), environment);
  const tell = async (order: Order): Promise<GatewayStatus> => {
    const status = await askGateway(join(data, CONTROL_SOCKET), order);
    if (status === undefined) throw new Error(`no gateway runs on ${data}`);
    return status;
  };
  if (values.undo === true) {
    await tell('POST /resume');
    console.log('the gateway takes and starts jobs again');
    return 0;
  }
  let status = await tell(after === undefined ? 'POST /drain' : `POST /drain?abort-after=${Math.ceil(after)}`);
  for (let told = -1; values['no-wait'] !== true && status.active > 0; status = await tell('GET /status')) {
    if (!status.draining) throw new Error('the gateway was told to take jobs again, or was restarted');
    if (status.active !== told) console.log(`${String(status.active)} jobs still run, ${String(status.queued)} wait in the queue`);
    told = status.active;
    await pause(LOOK);
  }
  console.log(`drained: ${String(status.active)} jobs run, ${String(status.queued)} wait for the next start of the gateway, or for drain --undo`);
  return 0;
}
