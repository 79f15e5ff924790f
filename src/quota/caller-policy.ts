import type { Caller } from '../caller.ts';
import type { Door, Policy, ProjectPolicy, ProjectQuestion } from '../policy/policy.ts';
import type { ProjectVerdict, Reason, Verdict } from '../policy/verdict.ts';
import type { OfferedResources, PinnedTask, Resources, Task } from '../task/task.ts';
import { formatSize } from '../task/units.ts';
import type { QuotaConfig } from './quota-config.ts';
import { type Scope, scopesOf } from './quota-scope.ts';

export interface CallerPolicyParts {
  readonly judge: Policy & ProjectPolicy;
  readonly quotas: QuotaConfig;
  /** Why the engine cannot run a task that its rule accepts, in words; absent = it can. Throws EngineUnavailable. */
  readonly lacks?: (task: PinnedTask, signal: AbortSignal) => Promise<string | undefined>;
  /** Whether anonymous callers are told why the answer is no. */
  readonly reasons: boolean;
}

const NOT_TOLD: Reason = { code: 'caller.anonymous', path: '', text: 'this site does not take this from anonymous callers, nor tell them more; sign in' };

/**
 * The judge of a site, seen by one caller: what the caller's quota does not allow a single job is refused as what a rule does not
 * allow, so that /accepts says the same as the creation; and strangers learn no more than the site wants.
 */
export class CallerPolicy implements Policy, ProjectPolicy {
  readonly #parts: CallerPolicyParts;

  constructor(parts: CallerPolicyParts) {
    this.#parts = parts;
  }

  async evaluate(task: Task, caller: Caller, signal: AbortSignal, door?: Door): Promise<Verdict> {
    const { judge, quotas } = this.#parts;
    const scopes = scopesOf(quotas, { owner: caller.id, groups: caller.groups });
    const verdict = await judge.evaluate(task, caller, signal, door);
    if (!verdict.accepted) return { ...verdict, reasons: this.#told(verdict.reasons, caller), ...(verdict.offered === undefined ? {} : { offered: within(verdict.offered, scopes) }) };
    const lacking = await this.#parts.lacks?.(verdict.task, signal);
    const reasons = [...tooLarge(verdict.task.resources, scopes), ...(lacking === undefined ? [] : [{ code: 'policy.engine', path: '', text: lacking }])];
    if (reasons.length === 0) return verdict;
    const gpus = verdict.task.relaxed?.gpus;
    return { accepted: false, reasons: this.#told(reasons, caller), decision: verdict.decision, offered: within({ ...verdict.task.resources, ...(gpus === undefined ? {} : { gpus }) }, scopes) };
  }

  async evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door?: Door): Promise<ProjectVerdict> {
    const { judge, quotas } = this.#parts;
    const verdict = await judge.evaluateProject(question, caller, signal, door);
    if (!verdict.accepted) return this.#isTold(caller) ? verdict : refusedProject(verdict, [NOT_TOLD]);
    const lacking = await Promise.all(verdict.project.services.map(async ({ task }) => this.#parts.lacks?.(task, signal)));
    const engine = [...new Set(lacking)].flatMap((text) => (text === undefined ? [] : [{ code: 'policy.engine', path: '', text }]));
    const reasons = [...tooLarge(verdict.project.resources, scopesOf(quotas, { owner: caller.id, groups: caller.groups })), ...engine];
    return reasons.length === 0 ? verdict : refusedProject(verdict, this.#told(reasons, caller));
  }

  general(caller: Caller): readonly Reason[] {
    return this.#told(this.#parts.judge.general(caller), caller);
  }

  #told(reasons: readonly Reason[], caller: Caller): readonly Reason[] {
    return reasons.length === 0 || this.#isTold(caller) ? reasons : [NOT_TOLD];
  }

  #isTold(caller: Caller): boolean {
    return caller.id !== null || this.#parts.reasons;
  }
}

/** Without an offer: no change of the file helps. */
function refusedProject({ digest, decision }: ProjectVerdict, reasons: readonly Reason[]): ProjectVerdict {
  return { accepted: false, digest, decision, warnings: [], reasons: reasons.map((reason) => ({ ...reason, line: 0 })) };
}

function tooLarge({ cores, memory }: Resources, scopes: readonly Scope[]): readonly Reason[] {
  return scopes.flatMap(({ who, limits }) => [
    ...(cores > (limits.cores ?? Infinity) ? [{ code: 'resources.cores', path: 'resources.cores', text: `more cores than the quota gives: ${who} ${String(limits.cores)} at most` }] : []),
    ...(memory > (limits.memory ?? Infinity) ? [{ code: 'resources.memory', path: 'resources.memory', text: `more memory than the quota gives: ${who} ${formatSize(limits.memory ?? 0)} at most` }] : []),
  ]);
}

function within({ cores, memory, ...others }: OfferedResources, scopes: readonly Scope[]): OfferedResources {
  return {
    ...others,
    cores: Math.min(cores, ...scopes.map(({ limits }) => limits.cores ?? Infinity)),
    memory: Math.min(memory, ...scopes.map(({ limits }) => limits.memory ?? Infinity)),
  };
}
