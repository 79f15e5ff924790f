import type { Config } from './config.ts';
import { type EngineOffer, lackingOf, type RuleNeeds } from './engine/rule-needs.ts';
import type { CompiledPolicy } from './policy/rule.ts';
import type { EngineDescription } from './engine/engine.ts';
import type { Offer } from './execution/slots.ts';
import type { SiteResources } from './planner/container-resources.ts';
import type { SiteDefaults } from './policy/resource-policy.ts';

/** What all running jobs may have together: what the configuration says, else what the engine has, and never more than that. */
export function siteOffer({ jobs }: Config, engine: EngineDescription): Offer {
  return {
    slots: jobs.slots ?? engine.cores,
    cores: Math.min(jobs.cores ?? Infinity, engine.cores),
    memory: Math.min(jobs.memory ?? Infinity, engine.memory),
  };
}

/**
 * What one job gets and may ask for. `engine` gives what is known of the engine at the moment of the question; while it is
 * nothing, no task is judged anyway, because nobody can say for which platform.
 */
export function siteDefaults({ engine: { relay }, jobs }: Config, engine: () => EngineDescription | undefined): SiteDefaults {
  return {
    user: jobs.user,
    endpoints: relay !== undefined,
    resources: { cores: jobs.defaultCores, memory: jobs.defaultMemory },
    get maximum() {
      const description = engine();
      return {
        cores: Math.min(jobs.maxCores ?? Infinity, jobs.cores ?? Infinity, description?.cores ?? Infinity),
        memory: Math.min(jobs.maxMemory ?? Infinity, jobs.memory ?? Infinity, description?.memory ?? Infinity),
      };
    },
  };
}

/** The same as the planner tells it before a task is judged. */
export function siteResources({ jobs }: Config, { resources, maximum }: SiteDefaults): SiteResources {
  return {
    cores: { default: resources.cores, max: maximum.cores },
    memory: { default: resources.memory, max: maximum.memory },
    executionDuration: jobs.executionDuration,
    store: jobs.results.bytes,
  };
}

/** What the rules of a policy need of the engine beyond the sandbox of all. */
export function ruleNeeds({ rules }: CompiledPolicy): readonly RuleNeeds[] {
  return rules.flatMap(({ name, relaxed }) => (relaxed === undefined ? [] : [{ rule: name, relaxed }]));
}

/** Graphics processors that one container gets at most under any rule; 0 where the engine is known to have none. */
export function mostGpus({ rules }: CompiledPolicy, engine: EngineOffer | undefined): number {
  return Math.max(0, ...rules.flatMap(({ relaxed }) => (relaxed?.gpus === undefined || (engine !== undefined && lackingOf({ gpus: relaxed.gpus }, engine).length > 0) ? [] : [relaxed.gpus])));
}
