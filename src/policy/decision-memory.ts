import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Decision, EarlierDecision } from '../task/decision.ts';
import { manifestsOf, type PinnedWork } from '../task/project.ts';
import type { Task } from '../task/task.ts';
import type { Decisions, Door, Policy, ProjectPolicy, ProjectQuestion } from './policy.ts';
import type { ProjectVerdict, Verdict } from './verdict.ts';

/** Answers that are remembered: hours of a busy portal. */
const REMEMBERED = 10_000;

interface Remembered {
  readonly caller: string | null;
  readonly known: NonNullable<EarlierDecision['known']>;
}

/** A judge that remembers to whom it said yes, in this process's memory and for as long as there is room: a question leaves no other trace. */
export class DecisionMemory implements Policy, ProjectPolicy, Decisions {
  readonly #judge: Policy & ProjectPolicy;
  readonly #given = new LRUCache<string, Remembered>({ max: REMEMBERED });

  constructor(judge: Policy & ProjectPolicy) {
    this.#judge = judge;
  }

  async evaluate(task: Task, caller: Caller, signal: AbortSignal, door?: Door): Promise<Verdict> {
    const verdict = await this.#judge.evaluate(task, caller, signal, door);
    if (!verdict.accepted || (door !== undefined && door !== 'accepts')) return verdict;
    this.#remember(verdict.decision, caller, verdict.task);
    return verdict;
  }

  async evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door?: Door): Promise<ProjectVerdict> {
    const verdict = await this.#judge.evaluateProject(question, caller, signal, door);
    if (verdict.accepted && (door === undefined || door === 'accepts')) this.#remember(verdict.decision, caller, verdict.project);
    return verdict;
  }

  general(caller: Caller, signal: AbortSignal): ReturnType<Policy['general']> {
    return this.#judge.general(caller, signal);
  }

  #remember({ id, policy, rule }: Decision, caller: Caller, work: PinnedWork): void {
    this.#given.set(id, { caller: caller.id, known: { policy, rule, manifest: manifestsOf(work) } });
  }

  earlier(id: string, caller: Caller): EarlierDecision {
    const found = this.#given.get(id);
    return found === undefined || found.caller !== caller.id ? { id } : { id, known: found.known };
  }
}
