import { join } from 'node:path';
import { SystemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { DockerEngine } from '../engine/docker-engine.ts';
import { EngineFacts } from '../engine/engine-facts.ts';
import type { Platform } from '../image/platform.ts';
import { createLogger } from '../logger.ts';
import { MemoryAuditLog } from '../policy/audit-log.ts';
import type { BaseStore } from '../policy/base-store.ts';
import { createPolicy } from '../policy/create-policy.ts';
import { JsonBaseStore } from '../policy/json-base-store.ts';
import type { PolicyHolder } from '../policy/policy-holder.ts';
import { ProcessVerifier } from '../policy/process-verifier.ts';
import { createRegistry } from '../registry/create-registry.ts';
import { siteDefaults } from '../site-offer.ts';

/** The judge of a site, made for one question of an operator's: as the gateway's, but it writes nothing. */
export interface LocalJudge {
  readonly policy: PolicyHolder;
  close(): Promise<void>;
}

/** Judges for `platform`, or for the engine's own. Throws where the configuration's files cannot be read. */
export async function localJudge(config: Config, platform: Platform | undefined): Promise<LocalJudge> {
  const clock = new SystemClock();
  const logger = createLogger('error');
  const registry = createRegistry({ registries: config.registries, registryClient: config.registryClient }, clock, logger);
  const engine = new DockerEngine({ config: config.engine, gateway: config.engine.gateway ?? 'operator', clock, environment: process.env });
  const facts = new EngineFacts(engine);
  const policy = await createPolicy(config.policy, {
    registry,
    platform: async (signal) => platform ?? facts.platform(signal),
    clock,
    logger,
    site: siteDefaults(config, () => facts.known),
    baseStore: readOnly(new JsonBaseStore(join(config.data, 'bases.json'))),
    audit: new MemoryAuditLog(),
    verifier: new ProcessVerifier(clock),
    asked: config.registries.map(({ host }) => host),
  });
  return {
    policy,
    close: async () => {
      await policy.catalogue.close();
      await registry.close();
      await engine.close();
    },
  };
}

/** The gateway may be running: what bases have been seen is for it alone to write. */
function readOnly(store: BaseStore): BaseStore {
  return { load: () => store.load(), save: async () => undefined };
}
