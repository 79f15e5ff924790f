import { setTimeout as pause } from 'node:timers/promises';
import { type JobDocument, LAST_PHASES } from './job-document.ts';
import type { KnownJob, Told } from './model.ts';
import { HUSH, JOB_KINDS, type JobKind, parametersOf, type Plan, planOf } from './plan.ts';
import type { Random } from './random.ts';
import type { Wish } from './steps.ts';

export interface ClientParts {
  readonly random: Random;
  readonly images: readonly string[];
  /** Where a client finds a gateway now. */
  readonly url: () => string;
  /** Every job that was ever asked for. */
  readonly jobs: KnownJob[];
}

/** Jobs that are not over, above which no new ones are asked for. */
const MOST_ACTIVE = 24;

/** Milliseconds that a client waits for an answer. */
const PATIENCE = 15_000;

const ACTIONS = { submit: 40, submitPending: 8, submitTwice: 6, abort: 7, remove: 4, look: 20, wait: 8, runAgain: 4, list: 3, results: 6 };

interface Answer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

/** A client: asks for jobs of every kind, and does to them what clients do, whatever goes wrong. */
export class Client {
  readonly #parts: ClientParts;
  readonly #name: string;
  #made = 0;
  /** Whether the last request found nobody who listens. */
  #unheard = false;
  /** What was answered that should never be. */
  readonly complaints: string[] = [];
  requests = 0;

  constructor(name: string, parts: ClientParts) {
    this.#name = name;
    this.#parts = parts;
  }

  /** Acts until it is told to stop. */
  async act(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const action = this.#parts.random.weighted(ACTIONS);
      await this[action]().catch((error: unknown) => this.complaints.push(`${action}: ${String(error)}`));
      await pause(this.#parts.random.int(10, 400));
    }
  }

  async submit(): Promise<void> {
    if (this.#tooMany()) return;
    await this.#create({ PHASE: 'RUN' });
  }

  /** Creates a job first, and runs it then, by two requests at once. */
  async submitPending(): Promise<void> {
    if (this.#tooMany()) return;
    const job = await this.#create({});
    if (job.path === undefined) return;
    const answers = await Promise.all([this.#post(`${job.path}/phase`, { PHASE: 'RUN' }), this.#post(`${job.path}/phase`, { PHASE: 'RUN' })]);
    job.run = tellOf(answers, [303]);
  }

  /** With a key, until an answer comes: one job, however often it is asked for. */
  async submitTwice(): Promise<void> {
    if (this.#tooMany()) return;
    const plan = this.#plan(this.#parts.random.weighted(JOB_KINDS));
    const job = this.#know(plan, 'unknown');
    for (let i = 0; i < 40 && job.path === undefined; i += 1) {
      const answer = await this.#post(`/uws/${plan.list}`, { ...parametersOf(plan), PHASE: 'RUN' }, { 'Idempotency-Key': plan.mark });
      if (answer !== undefined && this.#created(job, answer)) break;
      await pause(300);
    }
  }

  /** Has a job of this kind run, however many there are. */
  async grant({ abort, kind }: Wish): Promise<void> {
    const job = await this.#create({ PHASE: 'RUN' }, kind);
    for (let i = 0; abort === true && i < 40; i += 1) {
      const document = await this.#read(job);
      if (document?.phase === 'EXECUTING') return this.#abort(job);
      await pause(200);
    }
  }

  async abort(): Promise<void> {
    const job = this.#some();
    if (job !== undefined) await this.#abort(job);
  }

  async #abort(job: KnownJob): Promise<void> {
    if (job.path === undefined) return;
    const answer = await this.#post(`${job.path}/phase`, { PHASE: 'ABORT' });
    if (job.aborted !== 'done') job.aborted = tellOf([answer], [303]);
    // visible at once
    const after = answer?.status === 303 ? await this.#read(job) : undefined;
    if (after !== undefined && !LAST_PHASES.has(after.phase)) this.complaints.push(`${job.plan.mark} is ${after.phase} after its abort was answered`);
  }

  async remove(): Promise<void> {
    const job = this.#some();
    if (job?.path === undefined) return;
    // from now on others may find that it is gone
    const before = job.deleted;
    if (before === 'never') job.deleted = 'unknown';
    const answer = await this.#ask('DELETE', job.path);
    if (job.deleted !== 'done') job.deleted = tellOf([answer], [303, 404], before);
  }

  async look(): Promise<void> {
    const job = this.#some();
    if (job !== undefined) await this.#read(job);
  }

  async wait(): Promise<void> {
    const job = this.#some();
    if (job !== undefined) await this.#read(job, '?WAIT=3');
  }

  /** No effect on a job that is queued or runs already. */
  async runAgain(): Promise<void> {
    const job = this.#some();
    if (job?.path === undefined || job.run !== 'done') return;
    await this.#post(`${job.path}/phase`, { PHASE: 'RUN' });
  }

  async list(): Promise<void> {
    await this.#ask('GET', `/uws/${this.#parts.random.pick(['docker', 'compose'])}?LAST=50`);
  }

  async results(): Promise<void> {
    const job = this.#some();
    if (job !== undefined) await this.#ask('GET', `${job.path ?? ''}/results/stdout`);
  }

  async #create(more: Readonly<Record<string, string>>, kind: JobKind = this.#parts.random.weighted(JOB_KINDS)): Promise<KnownJob> {
    const plan = this.#plan(kind);
    const job = this.#know(plan, more['PHASE'] === undefined ? 'never' : 'unknown');
    const answer = await this.#post(`/uws/${plan.list}`, { ...parametersOf(plan), ...more });
    if (answer !== undefined) this.#created(job, answer);
    // it was never asked for: nobody was there to hear it
    else if (this.#unheard) this.#parts.jobs.splice(this.#parts.jobs.indexOf(job), 1);
    return job;
  }

  #know(plan: Plan, run: Told): KnownJob {
    const job: KnownJob = { plan, asked: Date.now(), path: undefined, created: 'unknown', run, aborted: 'never', deleted: 'never', ended: undefined, endedSeen: undefined };
    this.#parts.jobs.push(job);
    return job;
  }

  /** True when the answer settles it. */
  #created(job: KnownJob, answer: Answer): boolean {
    if (answer.status === 303 && answer.location !== null) {
      job.path = new URL(answer.location).pathname;
      job.created = 'done';
      if (job.run === 'unknown') job.run = 'done';
      return true;
    }
    // refused for an outage, or because the clocks do not agree: nothing was made, and the client knows
    if (answer.status === 503 || answer.text.includes('DESTRUCTION')) job.created = 'never';
    else this.complaints.push(`a creation was answered with ${String(answer.status)}: ${answer.text}`);
    return false;
  }

  #plan(kind: JobKind): Plan {
    const { images, random } = this.#parts;
    return planOf(kind, `${this.#name}-${String((this.#made += 1))}-${String(random.int(1000, 9999))}`, images, random);
  }

  #tooMany(): boolean {
    return this.#parts.jobs.filter(({ created, ended, deleted }) => created === 'done' && ended === undefined && deleted === 'never').length >= MOST_ACTIVE;
  }

  /** A job of these days, rather one that is not over. */
  #some(): KnownJob | undefined {
    const { jobs, random } = this.#parts;
    const known = jobs.slice(-60).filter(({ path }) => path !== undefined);
    const active = known.filter(({ ended }) => ended === undefined);
    const from = active.length > 0 && random.chance(0.8) ? active : known;
    return from.length === 0 ? undefined : random.pick(from);
  }

  async #read(job: KnownJob, query = ''): Promise<JobDocument | undefined> {
    if (job.path === undefined) return undefined;
    const answer = await this.#ask('GET', job.path + query);
    if (answer?.status === 404 && job.deleted === 'never' && job.plan.destruction === undefined) this.complaints.push(`${job.plan.mark} is not found at ${job.path}`);
    if (answer?.status !== 200) return undefined;
    const document = JSON.parse(answer.text) as JobDocument;
    if (LAST_PHASES.has(document.phase)) {
      if (job.ended !== undefined && job.ended !== document.phase) this.complaints.push(`${job.plan.mark} was ${job.ended} and is ${document.phase}`);
      job.ended ??= document.phase;
      job.endedSeen ??= Date.now();
    }
    return document;
  }

  #post(path: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<Answer | undefined> {
    return this.#ask('POST', path, { body: new URLSearchParams(form), headers });
  }

  /** The answer, or undefined where none came. */
  async #ask(method: string, path: string, more: RequestInit = {}): Promise<Answer | undefined> {
    this.requests += 1;
    try {
      const headers = { Accept: 'application/json', ...more.headers };
      const answer = await fetch(this.#parts.url() + path, { ...more, method, headers, redirect: 'manual', signal: AbortSignal.timeout(PATIENCE) });
      const text = await answer.text();
      if (text.includes(HUSH)) this.complaints.push(`${method} ${path} was answered with a secret`);
      if (answer.status === 500) this.complaints.push(`${method} ${path} was answered with 500`);
      return { status: answer.status, location: answer.headers.get('location'), text };
    } catch (error) {
      await pause(300);
      this.#unheard = error instanceof Error && error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ECONNREFUSED';
      return undefined;
    }
  }
}

/** What several requests for the same thing tell together. */
function tellOf(answers: readonly (Answer | undefined)[], done: readonly number[], before: Told = 'never'): Told {
  if (answers.some((answer) => answer !== undefined && done.includes(answer.status))) return 'done';
  return answers.some((answer) => answer === undefined || answer.status >= 500) ? 'unknown' : before;
}
