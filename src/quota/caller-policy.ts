import type { Caller } from '../caller.ts';
import type { Door, Policy, ProjectPolicy, ProjectQuestion } from '../policy/policy.ts';
import type { ProjectVerdict, Reason, Verdict } from '../policy/verdict.ts';
import type { Decision } from '../task/decision.ts';
import type { OfferedResources, PinnedTask, Resources, Task } from '../task/task.ts';
import { formatSize } from '../task/units.ts';
import type { QuotaConfig } from './quota-config.ts';
import { type Scope, scopesOf } from './quota-scope.ts';

export interface CallerPolicyParts {
  readonly judge: Policy & ProjectPolicy;
  readonly quotas: QuotaConfig;
  /** Why the engine cannot run a task that its rule accepts, or, of no task, any at all, in words; undefined = it can, or does not answer. Absent = it can. */
  readonly lacks?: (task: PinnedTask | undefined, signal: AbortSignal) => Promise<string | undefined>;
  /** Whether anonymous callers are told why the answer is no. */
  readonly reasons: boolean;
}

const NOT_TOLD: Reason = { code: 'caller.anonymous', path: '', text: 'this site does not take this from anonymous callers, nor tell them more; sign in' };

/**
 * The judge of a site, seen by one caller: what the caller's quota does not allow a single job, and what the engine cannot run, is refused
 * as what a rule does not allow, so that /accepts, creation and RUN say the same; and strangers learn no more than the site wants. What
 * /accepts has asked for is told whole, for it is weighed there with other answers before the planner leaves out what is not told.
 */
export class CallerPolicy implements Policy, ProjectPolicy {
  readonly #parts: CallerPolicyParts;

  constructor(parts: CallerPolicyParts) {
    this.#parts = parts;
  }

  async evaluate(task: Task, caller: Caller, signal: AbortSignal, door: Door = 'accepts'): Promise<Verdict> {
    const verdict = await this.#evaluate(task, caller, signal, door);
    if (this.#isTold(caller)) return verdict;
    const decision = untold(verdict.decision);
    return verdict.accepted || door === 'accepts' ? { ...verdict, decision } : { accepted: false, reasons: [NOT_TOLD], decision };
  }

  async evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door: Door = 'accepts'): Promise<ProjectVerdict> {
    const verdict = await this.#evaluateProject(question, caller, signal, door);
    if (this.#isTold(caller)) return verdict;
    const shown = { ...verdict, decision: untold(verdict.decision) };
    return verdict.accepted || door === 'accepts' ? shown : refusedProject(shown, [NOT_TOLD]);
  }

  async general(caller: Caller, signal: AbortSignal): Promise<readonly Reason[]> {
    const reasons = await this.#parts.judge.general(caller, signal);
    return reasons.length > 0 ? reasons : this.#engine([await this.#parts.lacks?.(undefined, signal)]);
  }

  async #evaluate(task: Task, caller: Caller, signal: AbortSignal, door: Door): Promise<Verdict> {
    const { judge, lacks, quotas } = this.#parts;
    const scopes = scopesOf(quotas, { owner: caller.id, groups: caller.groups });
    const verdict = await judge.evaluate(task, caller, signal, door);
    if (!verdict.accepted) return { ...verdict, ...(verdict.offered === undefined ? {} : { offered: within(verdict.offered, scopes) }) };
    const reasons = [...tooLarge(verdict.task.resources, scopes), ...this.#engine([await lacks?.(verdict.task, signal)])];
    if (reasons.length === 0) return verdict;
    const gpus = verdict.task.relaxed?.gpus;
    return { accepted: false, reasons, decision: verdict.decision, offered: within({ ...verdict.task.resources, ...(gpus === undefined ? {} : { gpus }) }, scopes) };
  }

  async #evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door: Door): Promise<ProjectVerdict> {
    const { judge, lacks, quotas } = this.#parts;
    const verdict = await judge.evaluateProject(question, caller, signal, door);
    if (!verdict.accepted) return verdict;
    const lacking = await Promise.all(verdict.project.services.map(async ({ task }) => lacks?.(task, signal)));
    const reasons = [...tooLarge(verdict.project.resources, scopesOf(quotas, { owner: caller.id, groups: caller.groups })), ...this.#engine(lacking)];
    return reasons.length === 0 ? verdict : refusedProject(verdict, reasons);
  }

  /** Each thing that the engine lacks, once. */
  #engine(lacking: readonly (string | undefined)[]): readonly Reason[] {
    return [...new Set(lacking)].flatMap((text) => (text === undefined ? [] : [{ code: 'policy.engine', path: '', text }]));
  }

  #isTold(caller: Caller): boolean {
    return caller.id !== null || this.#parts.reasons;
  }
}

/** By whose word and on whose base is what a stranger would learn the rules from. */
function untold(decision: Decision): Decision {
  return { ...decision, untold: true };
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
