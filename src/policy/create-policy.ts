import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Registry } from '../registry/registry.ts';
import type { AuditLog } from './audit-log.ts';
import { BaseCatalogue, type PlatformProvider } from './base-catalogue.ts';
import type { BaseStore } from './base-store.ts';
import type { ExternalVerifier } from './external-verifier.ts';
import { PolicyHolder } from './policy-holder.ts';
import type { PolicyDocument } from './policy-schema.ts';
import type { SiteDefaults } from './resource-policy.ts';
import { TagsSeen } from './tags-seen.ts';

/** Everything that the judge needs from outside. */
export interface PolicyParts {
  readonly registry: Registry;
  readonly platform: PlatformProvider;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly site: SiteDefaults;
  readonly baseStore: BaseStore;
  readonly audit: AuditLog;
  readonly verifier: ExternalVerifier;
  /** The registries that the site asks. */
  readonly asked?: readonly string[];
}

/**
 * The judge of a site, with what earlier runs have seen of its bases. Asks no registry yet: `catalogue.run` keeps bases
 * current, `catalogue.close` and `audit.flush` end it. Throws when the base store cannot be read.
 */
export async function createPolicy(document: PolicyDocument, parts: PolicyParts): Promise<PolicyHolder> {
  const { registry, platform, clock, logger, baseStore } = parts;
  const catalogue = new BaseCatalogue({ registry, platform, clock, logger, store: baseStore });
  await catalogue.load();
  return new PolicyHolder(document, { ...parts, catalogue, tags: new TagsSeen(clock) });
}
