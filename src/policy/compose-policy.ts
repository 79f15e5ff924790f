import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { formatPath } from '../compose/compose-problem.ts';
import { isTemporary } from '../errors.ts';
import { digestOf, type Digest } from '../image/digest.ts';
import type { Decision } from '../task/decision.ts';
import type { AuditLog } from './audit-log.ts';
import type { PlatformProvider } from './base-catalogue.ts';
import { type FileJudgement, judgeFile } from './compose-judge.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { offerFor } from './compose-offer.ts';
import type { Door, ProjectPolicy, ProjectQuestion } from './policy.ts';
import { NO_RULE } from './policy-schema.ts';
import type { SiteDefaults } from './resource-policy.ts';
import type { TaskPolicy } from './task-policy.ts';
import type { ProjectReason, ProjectVerdict, Reason } from './verdict.ts';

export interface ComposePolicyParts {
  /** The judge of the containers. */
  readonly tasks: TaskPolicy;
  readonly knobs: ComposeKnobs;
  /** Of the policy. */
  readonly hash: Digest;
  readonly site: SiteDefaults;
  readonly platform: PlatformProvider;
  readonly clock: Clock;
  readonly audit: AuditLog;
}

/** One policy, applied to compose files: every container of a file is judged by the rule for its image, the file itself by the table of keys. */
export class ComposePolicy implements ProjectPolicy {
  readonly #parts: ComposePolicyParts;

  constructor(parts: ComposePolicyParts) {
    this.#parts = parts;
  }

  general(caller: Caller): readonly Reason[] {
    return this.#parts.tasks.general(caller);
  }

  async evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door: Door = 'accepts'): Promise<ProjectVerdict> {
    const lacking = this.general(caller).map((reason) => ({ ...reason, line: 0 }));
    if (lacking.length > 0) return this.#recorded(question, caller, door, { problems: [], reasons: lacking, warnings: [], verdicts: new Map() });
    const { knobs, site, platform, tasks } = this.#parts;
    const bench = { knobs, site, platform: await platform(signal) };
    const judgement = await judgeFile(question, { ...bench, judge: (task, who, until) => tasks.evaluate(task, who, until, door) }, caller, signal);
    if (judgement.project !== undefined) return this.#recorded(question, caller, door, judgement);
    const silent = { ...bench, judge: async (...asked: Parameters<TaskPolicy['judge']>) => (await tasks.judge(...asked)).verdict };
    const offer = await offerFor(question, judgement, (changed) => judgeFile(changed, silent, caller, signal)).catch((error: unknown) => {
      // What nobody can check is not offered; the answer is no all the same.
      if (signal.aborted || !isTemporary(error)) throw error;
      return undefined;
    });
    const verdict = this.#recorded(question, caller, door, judgement);
    return verdict.accepted || offer === undefined ? verdict : { ...verdict, offer };
  }

  #recorded(question: ProjectQuestion, caller: Caller, door: Door, judgement: FileJudgement): ProjectVerdict {
    const { project, warnings } = judgement;
    const digest = digestOf(question.file);
    const decision = this.#decision(judgement);
    const reasons = [...judgement.problems.map(({ code, path, line, text }) => ({ code, path: formatPath(path), line, text })), ...judgement.reasons];
    const verdict: ProjectVerdict = project === undefined ? { accepted: false, digest, decision, warnings, reasons } : { accepted: true, digest, decision, warnings, project };
    this.#parts.audit.record({
      id: decision.id,
      at: decision.at,
      door,
      caller: { id: caller.id, groups: caller.groups },
      policy: decision.policy,
      rule: decision.rule,
      reference: `compose file ${digest}`,
      answer: project === undefined ? 'no' : 'yes',
      reasons: (project === undefined ? reasons : warnings).map(withoutLine),
    });
    return verdict;
  }

  /** By whose rules, where images came to be judged. */
  #decision({ verdicts }: FileJudgement): Decision {
    const rules = [...verdicts.values()].flatMap(({ verdict }) => (verdict === undefined ? [] : [verdict.decision.rule])).filter((rule) => rule !== NO_RULE);
    return { id: randomUUID(), at: this.#parts.clock.now(), policy: this.#parts.hash, rule: [...new Set(rules)].join(', ') || NO_RULE };
  }
}

function withoutLine({ line, ...reason }: ProjectReason): Reason {
  return { ...reason, text: line === 0 ? reason.text : `line ${String(line)}: ${reason.text}` };
}
