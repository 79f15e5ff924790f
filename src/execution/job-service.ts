import type { Readable } from 'node:stream';
import type { Caller } from '../caller.ts';
import type { Clock, Instant } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import { GatewayError, isTemporary } from '../errors.ts';
import type { Job, JobFilter, JobListName, JobSummary, Result } from '../job/job.ts';
import type { SecretBox } from '../job/secret-box.ts';
import { withLogins, withSealed } from '../job/secrets.ts';
import { TERMINAL_PHASES, type Phase } from '../job/phase.ts';
import type { Decisions } from '../policy/policy.ts';
import type { Reason } from '../policy/verdict.ts';
import type { CreationKey, EarlierCreation, JobStore } from '../store/job-store.ts';
import type { ResultStore } from '../store/result-store.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { isProjectJob } from '../task/project.ts';
import type { Admission } from './admission.ts';
import { keyWithSecrets } from './creation-fingerprint.ts';
import { own, seen, stoppable } from './job-access.ts';
import { JobEndpoints } from './job-endpoints.ts';
import type { JobKind, Question, WorkVerdict } from './job-kind.ts';
import { type ByteSpan, noResult, openResult, type OpenResult } from './open-result.ts';
import { clampDestruction, clampDuration, type JobLimits, refusePast } from './limits.ts';
import { withQuote } from './quote.ts';

/** What a client asks for when it creates a job. Parameter names are canonical already. */
export interface CreateRequest {
  readonly parameters: readonly GivenParameter[];
  readonly runId?: string;
  readonly destruction?: Instant;
  /** Seconds. */
  readonly executionDuration?: number;
  /** PHASE=RUN in the creation request. */
  readonly run: boolean;
  /** The id of the yes that the client was given before. */
  readonly decision?: string;
  /** Idempotency-Key: a repeat of the same request is the same job. */
  readonly key?: CreationKey;
}

/** What a client may change of a job that exists. */
export interface JobChanges {
  readonly parameters?: readonly GivenParameter[];
  readonly runId?: string;
  readonly destruction?: Instant;
  /** Seconds, 0 = unlimited. */
  readonly executionDuration?: number;
}

export interface JobServiceParts {
  readonly store: JobStore;
  readonly results: ResultStore;
  readonly engine: Engine;
  /** The job list. */
  readonly list: JobListName;
  readonly kind: JobKind;
  /** Absent = nobody remembers what was said before. */
  readonly decisions?: Decisions;
  readonly clock: Clock;
  readonly secrets: SecretBox;
  readonly limits: JobLimits;
  /** Called when a job was queued, so that the queue need not wait for its next look. */
  readonly queued: () => void;
  /** Called when a job was deleted, so that its remains are removed soon. */
  readonly removed: () => void;
  /** Throws Unavailable while the gateway takes no new jobs. */
  readonly admit: () => void;
  readonly admission: Admission;
}

/** Phases in which a time limit can still be changed. */
const BEFORE_END: readonly Phase[] = ['PENDING', 'QUEUED', 'EXECUTING', 'HELD', 'SUSPENDED', 'UNKNOWN'];
const BEFORE_ARCHIVE: readonly Phase[] = [...BEFORE_END, 'COMPLETED', 'ERROR', 'ABORTED'];

/** A judgement ends by the deadlines of what it asks: registry, engine, verifier. */
const UNTIL_ANSWERED = new AbortController().signal;

/**
 * What clients can do to the jobs of one list (UWS 1.1 §2.2); those of others are not there. Every method throws NotFound for a job that is not there and Forbidden for
 * somebody else's (job-access.ts says who may read or end those); the others it throws are named with it. What a method returns
 * is the job as it is afterwards.
 */
export class JobService {
  readonly endpoints: JobEndpoints;
  readonly #parts: JobServiceParts;

  constructor(parts: JobServiceParts) {
    this.#parts = parts;
    this.endpoints = new JobEndpoints(parts.engine, async (id, caller) => own(await this.#find(id), caller));
  }

  /**
   * A new job, PENDING, or QUEUED when `run`; or the one that the same request has made before. Throws Refused (and makes no
   * job), BadParameter, BadReference, Unavailable, and Conflict when the key came with another request before.
   */
  async create(request: CreateRequest, caller: Caller): Promise<Job> {
    const { admission, admit, clock, kind, limits, list, secrets, store, queued } = this.#parts;
    const key = request.key && keyWithSecrets(request.key, request.parameters, secrets);
    if (key !== undefined) {
      const earlier = await store.createdWith(list, caller.id, key.key);
      if (earlier !== undefined) return this.#repeated(earlier, key, caller);
    }
    admit();
    admission.may(caller);
    const asked = kind.question(request.parameters);
    if (request.run && asked === undefined) throw missing(kind);
    const judged = asked === undefined ? undefined : accepted(await asked(caller, UNTIL_ANSWERED, 'create'));
    const creationTime = clock.now();
    refusePast(request.destruction, creationTime);
    const id = kind.newId();
    const job: Job = {
      id,
      list,
      revision: 1,
      owner: caller.id,
      groups: caller.groups,
      runId: request.runId ?? null,
      phase: request.run ? 'QUEUED' : 'PENDING',
      quote: null,
      creationTime,
      startTime: null,
      endTime: null,
      executionDuration: clampDuration(request.executionDuration, limits),
      destruction: clampDestruction(request.destruction, creationTime, limits),
      parameters: withSealed(request.parameters, id, secrets),
      task: judged?.task ?? null,
      decision: judged?.decision ?? null,
      ...(request.decision === undefined ? {} : { follows: this.#parts.decisions?.earlier(request.decision, caller) ?? { id: request.decision } }),
      results: [],
      error: null,
      info: {},
    };
    const settled = await admission.admit(caller, { create: true, run: request.run, task: job.task });
    const earlier = await store.create(job, key).finally(settled);
    if (earlier !== undefined && key !== undefined) return this.#repeated(earlier, key, caller);
    if (request.run) queued();
    return job;
  }

  async get(id: string, caller: Caller): Promise<Job> {
    return seen(await this.#find(id), caller);
  }

  /** What a cached document of the job needs to be trusted. */
  async revision(id: string, caller: Caller): Promise<number> {
    const found = await this.#parts.store.revision(id);
    if (found !== undefined && this.#isOurs(id) && found.owner === caller.id && caller.mayRead === undefined) return found.revision;
    return (await this.get(id, caller)).revision;
  }

  /** The caller's own jobs, newest first; for operators, where they ask for it, everybody's. */
  list(asked: Omit<JobFilter, 'owner' | 'list'>, caller: Caller, everybody = false): AsyncIterable<JobSummary> {
    const filter = { ...asked, list: this.#parts.list };
    if (!everybody) return this.#parts.store.list({ ...filter, owner: caller.id });
    if (caller.operator === true) return this.#parts.store.list(filter);
    throw new GatewayError('Forbidden', 'only operators see the jobs of others', { path: 'OWNER' });
  }

  /**
   * PHASE=RUN, with the groups that the caller has now, which are the job's from then on. The policy is asked again: refused now, the job ends in ERROR, so that the client sees why; not to be asked at
   * present, the job is queued and judged when its turn comes. No effect on a job that is queued or runs already. Throws
   * BadParameter when a needed parameter is missing, WrongPhase when the job is over.
   */
  async run(id: string, caller: Caller): Promise<Job> {
    const job = own(await this.#find(id), caller);
    if (job.phase === 'QUEUED' || job.phase === 'EXECUTING') return job;
    if (job.phase !== 'PENDING' && job.phase !== 'HELD') throw wrongPhase('RUN', job);
    const { admission, clock, kind, store, queued } = this.#parts;
    if (job.task === null) throw missing(kind);
    admission.may(caller);
    const verdict = await this.#judgeAgain(kind.again(job), caller);
    if (verdict?.accepted === false) {
      const set = { endTime: clock.now(), error: refusal(verdict.reasons), decision: verdict.decision };
      return (await store.changePhase(id, { from: [job.phase], to: 'ERROR', set })) ?? this.run(id, caller);
    }
    const settled = await admission.admit(caller, { create: false, run: true, task: job.task });
    const moved = await store.changePhase(id, { from: [job.phase], to: 'QUEUED', set: { groups: caller.groups } }).finally(settled);
    if (moved === undefined) return this.run(id, caller);
    queued();
    return moved;
  }

  /**
   * PHASE=ABORT: visible at once; the container is stopped afterwards. No effect on a job that is over. Operators may do it to
   * every job; then, and where there is a message, the job says so as its error.
   */
  async abort(id: string, caller: Caller, message?: string): Promise<Job> {
    const job = stoppable(await this.#find(id), caller);
    if (TERMINAL_PHASES.has(job.phase)) return job;
    const endTime = Math.max(this.#parts.clock.now(), job.startTime ?? 0);
    const change = { from: [job.phase], to: 'ABORTED', set: { endTime, quote: null, ...abortedBy(job, caller, message) } } as const;
    return (await this.#parts.store.changePhase(id, change)) ?? this.abort(id, caller, message);
  }

  /** Lets the members of these groups, and of no others, read the job. Throws WrongPhase for an archived one. */
  async share(id: string, caller: Caller, groups: readonly string[]): Promise<Job> {
    const job = own(await this.#find(id), caller);
    const changed = await this.#parts.store.update(id, BEFORE_ARCHIVE, { sharedWith: groups });
    if (changed === undefined) throw wrongPhase('sharing', job);
    return changed;
  }

  /** A finished result of the caller's own, for a link to it. Throws NotFound, and WrongPhase while it is still written. */
  async ownResult(id: string, resultId: string, caller: Caller): Promise<Result> {
    const job = own(await this.#find(id), caller);
    const result = job.results.find((each) => each.id === resultId);
    if (result === undefined) throw noResult(resultId);
    if (result.digest === undefined) throw wrongPhase('a link to a result that is still written', job);
    return result;
  }

  /** The job is gone for every client at once; what it left behind is removed afterwards. */
  async delete(id: string, caller: Caller): Promise<void> {
    own(await this.#find(id), caller);
    await this.#parts.store.delete(id, this.#parts.clock.now());
    this.#parts.removed();
  }

  /**
   * Changes what a client may change, all of it or nothing: the parameters given (all values of each name) and the run id of a
   * PENDING job, judging the task that results; the time limit until the job is over; the destruction instant; both cut to the
   * site's. Throws Refused, BadParameter (a destruction in the past, for one), BadReference and WrongPhase.
   */
  async change(id: string, caller: Caller, changes: JobChanges): Promise<Job> {
    const job = own(await this.#find(id), caller);
    const { clock, limits, store } = this.#parts;
    const phases = changeable(changes);
    if (!phases.includes(job.phase)) throw wrongPhase('this change', job);
    refusePast(changes.destruction, clock.now());
    const update = {
      ...(await this.#parameterUpdate(job, changes.parameters ?? [], caller)),
      ...(changes.runId === undefined ? {} : { runId: changes.runId }),
      ...(changes.destruction === undefined ? {} : { destruction: clampDestruction(changes.destruction, job.creationTime, limits) }),
      ...(changes.executionDuration === undefined ? {} : { executionDuration: clampDuration(changes.executionDuration, limits) }),
    };
    const changed = await store.update(id, phases, update);
    if (changed !== undefined) return withQuote(store, changed);
    throw wrongPhase('this change', await this.get(id, caller));
  }

  async #parameterUpdate(job: Job, given: readonly GivenParameter[], caller: Caller): Promise<Partial<Pick<Job, 'groups' | 'parameters' | 'task' | 'decision'>>> {
    if (given.length === 0) return {};
    const replaced = new Set(given.map(({ name }) => name.toUpperCase()));
    const kept = job.parameters.filter(({ name }) => !replaced.has(name.toUpperCase()));
    const { kind, secrets } = this.#parts;
    const asked = kind.question([...withLogins({ id: job.id, parameters: kept }, secrets), ...given]);
    const parameters = [...kept, ...withSealed(given, job.id, secrets)];
    if (asked === undefined) return { parameters };
    this.#parts.admission.may(caller);
    const { task, decision } = accepted(await asked(caller, UNTIL_ANSWERED, 'create'));
    return { groups: caller.groups, parameters, task, decision };
  }

  /** One result's bytes, `range` inclusive. Throws NotFound, Unavailable, EngineUnavailable. */
  async openResult(id: string, resultId: string, caller: Caller, range?: ByteSpan): Promise<OpenResult> {
    const job = await this.get(id, caller);
    const { engine, results } = this.#parts;
    return openResult(job, resultId, { engine, results, again: () => this.#find(id) }, range);
  }

  /** The job's output as it is written, from its beginning, until the container is over. Throws NotFound, EngineUnavailable. */
  async followLog(id: string, stream: 'stdout' | 'stderr', caller: Caller, signal: AbortSignal): Promise<Readable> {
    await this.get(id, caller);
    return this.#parts.engine.logs(id, stream, { follow: true, signal });
  }

  async #repeated(earlier: EarlierCreation, key: CreationKey, caller: Caller): Promise<Job> {
    if (earlier.fingerprint === key.fingerprint) return this.get(earlier.jobId, caller);
    throw new GatewayError('Conflict', 'this Idempotency-Key came with another request before', { path: 'Idempotency-Key' });
  }

  /** The job, where it is one of this list. */
  async #find(id: string): Promise<Job | undefined> {
    const job = this.#isOurs(id) ? await this.#parts.store.get(id) : undefined;
    return job?.list === this.#parts.list ? job : undefined;
  }

  /** An id says of which list a job can be. */
  #isOurs(id: string): boolean {
    return isProjectJob(id) === (this.#parts.list === 'compose');
  }

  /** The verdict on a task judged before, by its digest; undefined when nobody can judge at present. */
  async #judgeAgain(question: Question, caller: Caller): Promise<WorkVerdict | undefined> {
    try {
      return await question(caller, UNTIL_ANSWERED, 'run');
    } catch (error) {
      if (isTemporary(error)) return undefined;
      throw error;
    }
  }
}

/** What an aborted job says of who ended it: nothing, where its owner did without a word. */
function abortedBy(job: Job, caller: Caller, message: string | undefined): Partial<Pick<Job, 'error'>> {
  const who = job.owner === caller.id ? 'aborted' : 'aborted by an operator of this site';
  if (message === undefined && job.owner === caller.id) return {};
  return { error: { type: 'fatal', message: message === undefined ? who : `${who}: ${message}` } };
}

/** A refusal as a job's error. */
export function refusal(reasons: readonly Reason[]): NonNullable<Job['error']> {
  return { type: 'fatal', message: `refused by the policy: ${reasons.map(({ text }) => text).join('; ')}` };
}

function accepted(verdict: WorkVerdict): Extract<WorkVerdict, { accepted: true }> {
  if (verdict.accepted) return verdict;
  const [first] = verdict.reasons;
  throw new GatewayError('Refused', verdict.reasons.map(({ code, text }) => `${code}: ${text}`).join('; '), first === undefined ? {} : { path: first.path });
}

function missing({ needs }: JobKind): GatewayError {
  return new GatewayError('BadParameter', `the parameter ${needs} is missing: a job needs it to run`, { path: needs });
}

function wrongPhase(what: string, job: Job): GatewayError {
  return new GatewayError('WrongPhase', `${what} is not possible: the job is ${job.phase}`);
}

/** The phases in which all of these changes are legal. */
function changeable(changes: JobChanges): readonly Phase[] {
  if (changes.parameters !== undefined || changes.runId !== undefined) return ['PENDING'];
  return changes.executionDuration === undefined ? BEFORE_ARCHIVE : BEFORE_END;
}
