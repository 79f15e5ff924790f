import type { Caller } from '../caller.ts';
import type { Logger } from '../logger.ts';
import type { Task } from '../task/task.ts';
import type { BaseCatalogue } from './base-catalogue.ts';
import { ComposePolicy } from './compose-policy.ts';
import type { Judgement } from './judgement.ts';
import type { Door, Policy, ProjectPolicy, ProjectQuestion } from './policy.ts';
import { PolicyInvalid, type PolicyProblem } from './policy-file.ts';
import type { PolicyDocument } from './policy-schema.ts';
import { policyWarnings } from './policy-warnings.ts';
import { type CompiledPolicy, compilePolicy } from './rule.ts';
import { TaskPolicy, type TaskPolicyParts } from './task-policy.ts';
import type { ProjectVerdict, Reason, Verdict } from './verdict.ts';

/** What came of a new policy. */
export type Adoption =
  | { readonly adopted: true; readonly changed: boolean; readonly warnings: readonly string[] }
  | { readonly adopted: false; readonly problems: readonly PolicyProblem[] };

export interface PolicyHolderParts extends Omit<TaskPolicyParts, 'policy'> {
  readonly logger: Logger;
  /** The registries that the site asks; absent = not known, and no rule is warned about for them. */
  readonly asked?: readonly string[];
}

/** The policy in force, which can be replaced while questions are being answered: each is answered by one policy from start to end. */
export class PolicyHolder implements Policy, ProjectPolicy {
  readonly #parts: PolicyHolderParts;
  #compiled: CompiledPolicy;
  #policy: TaskPolicy;

  constructor(document: PolicyDocument, parts: PolicyHolderParts) {
    this.#parts = parts;
    this.#compiled = compilePolicy(document);
    this.#policy = new TaskPolicy({ ...parts, policy: this.#compiled });
    parts.catalogue.approve(this.#compiled.bases);
  }

  /** The policy in force: its hash, rules and bases. */
  get policy(): CompiledPolicy {
    return this.#compiled;
  }

  /** What keeps approved bases current. */
  get catalogue(): BaseCatalogue {
    return this.#parts.catalogue;
  }

  evaluate(task: Task, caller: Caller, signal: AbortSignal, door?: Door): Promise<Verdict> {
    return this.#policy.evaluate(task, caller, signal, door);
  }

  evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door?: Door): Promise<ProjectVerdict> {
    const { compose, hash } = this.#compiled;
    return new ComposePolicy({ ...this.#parts, tasks: this.#policy, knobs: compose, hash }).evaluateProject(question, caller, signal, door);
  }

  general(caller: Caller): readonly Reason[] {
    return this.#policy.general(caller);
  }

  /** As `evaluate`, with everything that led to the verdict, and without a record of it. */
  judge(task: Task, caller: Caller, signal: AbortSignal): Promise<Judgement> {
    return this.#policy.judge(task, caller, signal);
  }

  /** One sentence for each thing that operators should know about the policy in force. */
  warnings(): readonly string[] {
    return policyWarnings(this.#compiled, this.#parts.asked);
  }

  /** Puts what `load` resolves with in force; when it rejects with PolicyInvalid, the old policy stays, and the log says so. */
  async reload(load: () => Promise<PolicyDocument>): Promise<Adoption> {
    const { logger, catalogue, asked } = this.#parts;
    let document: PolicyDocument;
    try {
      document = await load();
    } catch (error) {
      if (!(error instanceof PolicyInvalid)) throw error;
      logger.error({ problems: error.problems, policy: this.#compiled.hash }, 'the new policy is not valid; the old one stays in force');
      return { adopted: false, problems: error.problems };
    }
    const compiled = compilePolicy(document);
    const warnings = policyWarnings(compiled, asked);
    if (compiled.hash === this.#compiled.hash) return { adopted: true, changed: false, warnings };
    this.#compiled = compiled;
    this.#policy = new TaskPolicy({ ...this.#parts, policy: compiled });
    catalogue.approve(compiled.bases);
    logger.info({ policy: compiled.hash, rules: compiled.rules.length, bases: compiled.bases.length }, 'a new policy is in force');
    for (const warning of warnings) logger.warn({ policy: compiled.hash }, warning);
    return { adopted: true, changed: true, warnings };
  }
}
