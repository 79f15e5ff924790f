import type { Caller } from '../caller.ts';
import type { Digest } from '../image/digest.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { EarlierDecision } from '../task/decision.ts';
import type { Task } from '../task/task.ts';
import type { ProjectVerdict, Reason, Verdict } from './verdict.ts';

/** Where a question comes from, for the audit log: asked only, at the creation of a job, or at its RUN. */
export type Door = 'accepts' | 'create' | 'run';

/** The judge: may this task run here? */
export interface Policy {
  /**
   * Judges one task. Name rules are matched before any packet leaves; then manifest and config are read, never a layer.
   * `door` (absent = `accepts`) changes nothing but the record. Throws RegistryUnavailable, RegistryInvalid, EngineUnavailable
   * (the platform is not known) or Unavailable when it cannot judge, so that a verdict is always a judgement.
   */
  evaluate(task: Task, caller: Caller, signal: AbortSignal, door?: Door): Promise<Verdict>;
  /** Whether any container at all could be accepted from this caller; empty = yes. Asks no registry. */
  general(caller: Caller, signal: AbortSignal): readonly Reason[] | Promise<readonly Reason[]>;
}

/** What a judge has said before. */
export interface Decisions {
  /** The yes that this caller was given under this id, as far as it is remembered. */
  earlier(id: string, caller: Caller): EarlierDecision;
}

/** A compose file, and everything else that it is judged with. */
export interface ProjectQuestion {
  /** YAML or JSON. */
  readonly file: string;
  /** What its variables stand for; nothing else is ever looked up. */
  readonly variables: ReadonlyMap<string, string>;
  /** The service whose exit decides; absent = the one that no other depends on, else all. */
  readonly service?: string;
  /** Manifests that were judged before, by service: then it is these that are judged again, and not what a tag names now. */
  readonly pins?: ReadonlyMap<string, Digest>;
  /** The caller's own, for registries of its images. */
  readonly logins?: RegistryLogins;
}

/** The judge of compose files: may all of this run here? */
export interface ProjectPolicy {
  /**
   * Judges every key, every value and every image of a file, and tells all that is wrong together. Of a no that only changes stand
   * in the way of, the verdict has the file that would be accepted. Throws as Policy.evaluate, unless the answer is no already.
   */
  evaluateProject(question: ProjectQuestion, caller: Caller, signal: AbortSignal, door?: Door): Promise<ProjectVerdict>;
  /** As Policy.general. */
  general(caller: Caller, signal: AbortSignal): readonly Reason[] | Promise<readonly Reason[]>;
}
