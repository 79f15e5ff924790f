import { ANONYMOUS, type Caller } from '../../src/caller.ts';
import { createLogger } from '../../src/logger.ts';
import { parseReference } from '../../src/image/reference.ts';
import { MemoryAuditLog } from '../../src/policy/audit-log.ts';
import { MemoryBaseStore } from '../../src/policy/base-store.ts';
import { createPolicy } from '../../src/policy/create-policy.ts';
import type { PolicyHolder } from '../../src/policy/policy-holder.ts';
import { parsePolicyText } from '../../src/policy/policy-file.ts';
import type { SiteDefaults } from '../../src/policy/resource-policy.ts';
import type { Verdict } from '../../src/policy/verdict.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { ContainerTask } from '../../src/task/task.ts';
import { FakeClock } from './fake-clock.ts';
import { LINUX_AMD64, MemoryRegistry } from './memory-registry.ts';

export const SITE: SiteDefaults = {
  user: '65534:65534',
  resources: { cores: 1, memory: 2 ** 29 },
  maximum: { cores: 4, memory: 2 ** 32 },
};

/** A task for `image`, with nothing else asked for. */
export function taskFor(image: string, more: Partial<ContainerTask> = {}): ContainerTask {
  return { type: 'container', image: parseReference(image), command: [], env: {}, ...more };
}

/** A judge with everything around it in memory. */
export class JudgedSite {
  readonly clock = new FakeClock();
  readonly registry: MemoryRegistry;
  readonly audit = new MemoryAuditLog();
  readonly baseStore = new MemoryBaseStore();
  /** Commands that the external verifier was given. */
  readonly verified: (readonly string[])[] = [];
  /** What the external verifier answers. */
  verifier: () => Promise<number> = () => Promise.resolve(1);
  /** What the site gives a task; to be set before the start. */
  defaults: SiteDefaults = SITE;
  policy!: PolicyHolder;

  constructor(registry = new MemoryRegistry()) {
    this.registry = registry;
  }

  /** Puts the policy of this YAML in force, on `registry` where that is not the one in memory. */
  async start(yaml: string, registry: Registry = this.registry): Promise<this> {
    this.policy = await createPolicy(parsePolicyText(yaml), {
      registry,
      platform: () => Promise.resolve(LINUX_AMD64),
      clock: this.clock,
      logger: createLogger('silent'),
      site: this.defaults,
      baseStore: this.baseStore,
      audit: this.audit,
      verifier: {
        run: (command) => {
          this.verified.push(command);
          return this.verifier();
        },
      },
    });
    return this;
  }

  judge(image: string, more: Partial<ContainerTask> = {}, caller: Caller = ANONYMOUS): Promise<Verdict> {
    return this.policy.evaluate(taskFor(image, more), caller, AbortSignal.timeout(60_000));
  }

  /** `yes`, or the codes of the reasons, in order. */
  async answer(image: string, more: Partial<ContainerTask> = {}, caller: Caller = ANONYMOUS): Promise<string> {
    const verdict = await this.judge(image, more, caller);
    return verdict.accepted ? 'yes' : verdict.reasons.map(({ code }) => code).join(' ');
  }
}
