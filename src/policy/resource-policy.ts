import type { OfferedResources, Resources, Task } from '../task/task.ts';
import { formatSize } from '../task/units.ts';
import type { Rule } from './rule.ts';
import type { Finding } from './verdict.ts';

/** What the site gives a task, whatever the rule. */
export interface SiteDefaults {
  /** `uid:gid`, numeric and not root. */
  readonly user: string;
  /** For a task that does not ask. */
  readonly resources: Resources;
  /** The most that one task can have; a rule can only lower it. */
  readonly maximum: Resources;
  /** Whether containers that serve can be reached here. */
  readonly endpoints?: boolean;
}

/** The most that one task can ask for under a rule. */
export function offeredResources(rule: Rule, site: SiteDefaults): OfferedResources {
  const gpus = rule.relaxed?.gpus;
  return {
    ...(gpus === undefined ? {} : { gpus }),
    cores: Math.min(rule.limits.cores ?? Infinity, site.maximum.cores),
    memory: Math.min(rule.limits.memory ?? Infinity, site.maximum.memory),
  };
}

/** What the task gets: what it asks for, or the site's default as far as the rule offers that much. */
export function grantedResources(task: Task, rule: Rule, site: SiteDefaults): Resources {
  const offered = offeredResources(rule, site);
  return {
    cores: task.cores ?? Math.min(site.resources.cores, offered.cores),
    memory: task.memory ?? Math.min(site.resources.memory, offered.memory),
  };
}

/** Where a task asks for more than the rule offers, or for nothing sensible. Never lowered in silence: a job would fail later. */
export function resourceFindings(task: Task, rule: Rule, site: SiteDefaults): readonly Finding[] {
  const offered = offeredResources(rule, site);
  const findings: Finding[] = [];
  if (task.cores !== undefined && !(task.cores > 0 && task.cores <= offered.cores)) {
    findings.push({ code: 'resources.cores', path: 'resources.cores', text: `${String(task.cores)} cores are asked for; ask for ${String(offered.cores)} at most` });
  }
  if (task.memory !== undefined && !(task.memory > 0 && task.memory <= offered.memory)) {
    findings.push({ code: 'resources.memory', path: 'resources.memory', text: `${said(task.memory)} of memory are asked for; ask for ${formatSize(offered.memory)} at most` });
  }
  const { gpus = 0 } = offered;
  if (task.gpus !== undefined && !(task.gpus >= 0 && task.gpus <= gpus)) {
    const text = gpus === 0 ? 'the rule gives no graphics processors; ask for none' : `${String(task.gpus)} graphics processors are asked for; ask for ${String(gpus)} at most`;
    findings.push({ code: 'resources.gpus', path: 'resources.gpus', text });
  }
  return findings;
}

/** Where a task asks for ports that the rule or the site does not give. */
export function portFindings({ ports = [] }: Task, rule: Rule, site: SiteDefaults): readonly Finding[] {
  if (ports.length === 0) return [];
  if (!rule.endpoints) return [{ code: 'ports.not-allowed', path: 'ports', text: `rule ${rule.name} lets no container serve; ask for no ports` }];
  return site.endpoints === true ? [] : [{ code: 'ports.not-offered', path: 'ports', text: 'this site has no relay, so that nobody could reach the ports; ask for none' }];
}

function said(bytes: number): string {
  return Number.isSafeInteger(bytes) && bytes > 0 ? formatSize(bytes) : String(bytes);
}
