import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { createApp } from './http/app.ts';
import { openApiDocument, openApiRoutes } from './http/openapi.ts';
import { trustedProxies } from './http/client-address.ts';
import { listen } from './http/listening.ts';
import { createIdentity } from './identity/create-identity.ts';
import type { Logger } from './logger.ts';
import { httpPeer } from './planner/http-peer.ts';
import { httpProbe } from './planner/http-probe.ts';
import { plannerApi } from './planner/planner-api.ts';
import { plannerCapability } from './planner/record.ts';
import { plannerRoutes } from './planner/routes.ts';
import { Quotas } from './quota/quotas.ts';
import { UntrustedFetch } from './untrusted-fetch.ts';
import { vosiRoutes } from './uws/vosi.ts';
import { VERSION } from './version.ts';

/** Bytes of a question at most. */
const BODY_LIMIT = 1024 * 1024;

/** Nobody has jobs here. */
const NO_JOBS = { waiting: async () => [], holdings: async () => ({ jobs: 0, resultBytes: 0 }) };
const NO_USAGE = { cpu: async () => [], images: async () => [], kept: async () => [] };

/** A planner that speaks for others and runs nothing itself (note §8.1): no engine, no registry, no store, no job lists, no file written. */
export async function startStandAlone(config: Config, clock: Clock, logger: Logger): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const { baseUrl, planner } = config;
  const fetch = new UntrustedFetch(clock);
  const rights = config.identity?.anonymous ?? { ask: true, run: false, reasons: true };
  const quotas = new Quotas({ config: config.quotas, store: NO_JOBS, usage: NO_USAGE, clock, anonymous: rights });
  const identity = config.identity === undefined ? undefined : await createIdentity(config.identity, { fetch, clock, logger, baseUrl });
  const app = createApp({
    logger,
    clock,
    origin: new URL(baseUrl).origin,
    hosts: config.listen.hosts,
    cors: config.cors,
    proxies: trustedProxies(config.listen.trustedProxies),
    hsts: config.listen.hsts,
    ...(identity === undefined ? {} : { identify: identity.identify, challenges: identity.challenges }),
    routers: [
      plannerRoutes({
        baseUrl, clock, logger, config: planner, bodyLimit: BODY_LIMIT, moment: 1000, probe: httpProbe(fetch), askPeer: httpPeer(fetch),
        admitQuestion: (caller, address) => quotas.ask(caller, address),
        tellsReasons: (caller) => caller.id !== null || rights.reasons,
      }),
      vosiRoutes({
        baseUrl, lists: [], others: [plannerCapability(baseUrl)], upSince: clock.now(), availability: () => ({ available: true, notes: [] }),
        ...(identity === undefined ? {} : { logIn: { ...identity, anonymous: rights.ask } }),
      }),
      openApiRoutes(openApiDocument(baseUrl, VERSION, [plannerApi({ record: planner.record !== undefined })])),
    ],
  });
  const listening = await listen(app.callback(), config.listen, clock, logger);
  return {
    address: listening.address,
    stop: async () => {
      await listening.close();
      await identity?.close();
      await fetch.close();
    },
  };
}
