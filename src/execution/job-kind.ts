import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { Job, JobListName } from '../job/job.ts';
import type { SecretBox } from '../job/secret-box.ts';
import { withLogins } from '../job/secrets.ts';
import type { Door, Policy, ProjectPolicy } from '../policy/policy.ts';
import type { ProjectReason, Reason } from '../policy/verdict.ts';
import { parseComposeParameters } from '../task/compose-parameters.ts';
import { parseContainerParameters } from '../task/container-parameters.ts';
import type { GivenParameter } from '../task/parameter.ts';
import type { Decision } from '../task/decision.ts';
import { type PinnedProject, type PinnedWork, projectJobId } from '../task/project.ts';
import { parseLogins } from '../task/secret-parameters.ts';
import type { PinnedTask, Task } from '../task/task.ts';

/** The judge's answer to what a job would run. */
export type WorkVerdict =
  | { readonly accepted: true; readonly task: PinnedWork; readonly decision: Decision }
  | { readonly accepted: false; readonly reasons: readonly Reason[]; readonly decision: Decision };

/** Asks the judge. Throws as Policy.evaluate. */
export type Question = (caller: Caller, signal: AbortSignal, door: Door) => Promise<WorkVerdict>;

/** What differs between job lists: what parameters mean, and which judge is asked. */
export interface JobKind {
  /** The parameter without which there is nothing to run. */
  readonly needs: string;
  newId(): string;
  /** What would run by these parameters; undefined while the needed one is missing. Throws BadParameter, BadReference. */
  question(parameters: readonly GivenParameter[]): Question | undefined;
  /**
   * What was judged for a job, as a question again: by digests, so that the answer is about the same bytes. Throws BadParameter where
   * the caller's logins can no longer be read.
   */
  again(job: Job): Question;
}

export type JobKinds = Readonly<Record<JobListName, JobKind>>;

/** The kinds of all job lists. `secrets` opens what logins jobs have. */
export function jobKinds(policy: Policy & ProjectPolicy, secrets: SecretBox): JobKinds {
  return { docker: containerKind(policy, secrets), compose: projectKind(policy, secrets) };
}

function containerKind(policy: Policy, secrets: SecretBox): JobKind {
  const ask = (task: Task): Question => (caller, signal, door) => policy.evaluate(task, caller, signal, door);
  return {
    needs: 'IMAGE',
    newId: () => randomUUID(),
    question: (parameters) => {
      const task = parseContainerParameters(parameters);
      return task && ask(task);
    },
    again: (job) => {
      if (job.task?.type !== 'container') throw new Error('the job runs no single container');
      return ask(asAsked(job.task, parseLogins(withLogins(job, secrets))));
    },
  };
}

function projectKind(policy: ProjectPolicy, secrets: SecretBox): JobKind {
  const ask = (parameters: readonly GivenParameter[], project?: PinnedProject): Question | undefined => {
    const task = parseComposeParameters(parameters);
    if (task === undefined) return undefined;
    const question = { ...task, ...(project === undefined ? {} : { pins: pinsOf(project) }) };
    return async (caller, signal, door) => {
      const verdict = await policy.evaluateProject(question, caller, signal, door);
      return verdict.accepted ? { accepted: true, task: verdict.project, decision: verdict.decision } : { ...verdict, reasons: verdict.reasons.map(placed) };
    };
  };
  return {
    needs: 'COMPOSEFILE',
    newId: () => projectJobId(randomUUID()),
    question: (parameters) => ask(parameters),
    again: (job) => {
      const question = job.task?.type === 'project' ? ask(withLogins(job, secrets), job.task) : undefined;
      if (question === undefined) throw new Error('the job runs no project');
      return question;
    },
  };
}

/** The digests that were judged, by service. Where an index led to one, the index's: a signature may be on that. */
function pinsOf({ services }: PinnedProject): NonNullable<Parameters<ProjectPolicy['evaluateProject']>[0]['pins']> {
  return new Map(services.map(({ name, task: { image } }) => [name, image.indexDigest ?? image.manifestDigest]));
}

/** The reason with its place in the file. */
function placed({ line, ...reason }: ProjectReason): Reason {
  const at = [...(line === 0 ? [] : [`line ${String(line)}`]), ...(reason.path === '' || reason.text.startsWith(reason.path) ? [] : [reason.path])].join(', ');
  return at === '' ? reason : { ...reason, text: `${at}: ${reason.text}` };
}

/** A judged container task as a question again. */
function asAsked(task: PinnedTask, logins: RegistryLogins | undefined): Task {
  const { reference: { domain, path, tag }, indexDigest, manifestDigest } = task.image;
  return {
    type: 'container',
    image: { domain, path, ...(tag === undefined ? {} : { tag }), digest: indexDigest ?? manifestDigest },
    command: task.command,
    env: task.env,
    ...(task.ports === undefined ? {} : { ports: task.ports }),
    ...task.resources,
    ...(task.relaxed?.gpus === undefined ? {} : { gpus: task.relaxed.gpus }),
    ...(logins === undefined ? {} : { logins }),
  };
}
