import { type Caller, holderName } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Admission, Excess, Wish } from '../execution/admission.ts';
import type { JobStore } from '../store/job-store.ts';
import type { UsageStore } from '../store/usage-store.ts';
import type { Reason } from '../policy/verdict.ts';
import { imagesOf } from '../task/project.ts';
import { formatSize } from '../task/units.ts';
import { CpuADay } from './cpu-a-day.ts';
import { ImagesADay } from './images-a-day.ts';
import type { QuotaConfig } from './quota-config.ts';
import { type Holder, type Scope, scopesOf } from './quota-scope.ts';
import { TokenBuckets } from './token-bucket.ts';

export interface QuotaParts {
  readonly config: QuotaConfig;
  readonly store: Pick<JobStore, 'waiting' | 'holdings'>;
  readonly usage: Pick<UsageStore, 'cpu' | 'images' | 'kept'>;
  readonly clock: Clock;
  /** What callers may do who are not logged in. */
  readonly anonymous: { readonly ask: boolean; readonly run: boolean };
}

/** How long a client should wait for one of its jobs to begin (seconds): nobody knows better. */
const SOON = 30;

const SIGN_IN: Reason = { code: 'caller.anonymous', path: '', text: 'anonymous callers may have no jobs at this site; sign in' };

/** Who may have jobs, and how much of everything. */
export class Quotas implements Admission {
  readonly #parts: QuotaParts;
  readonly #questions: TokenBuckets;
  readonly #images: ImagesADay;
  readonly #cpu: CpuADay;
  /** Jobs that were let through and that the store does not have yet. */
  readonly #pending = new Set<Holder & Pick<Wish, 'create' | 'run'>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: QuotaParts) {
    this.#parts = parts;
    this.#questions = new TokenBuckets(parts.clock);
    this.#images = new ImagesADay(parts.usage, parts.clock);
    this.#cpu = new CpuADay(parts.usage, parts.clock);
  }

  /** One question to /accepts. `address`: where it comes from, for who has no other name. Throws Unauthenticated, TooManyRequests. */
  ask(caller: Caller, address: string): void {
    if (caller.id === null && !this.#parts.anonymous.ask) throw new GatewayError('Unauthenticated', 'sign in to ask this site');
    this.#count(caller, holderName(caller, address));
  }

  /** Why a caller may have no jobs at all, for who asks and not yet wants one; undefined = may. */
  refusal(caller: Caller): Reason | undefined {
    return caller.id === null && !this.#parts.anonymous.run ? SIGN_IN : undefined;
  }

  may(caller: Caller): void {
    const refusal = this.refusal(caller);
    if (refusal !== undefined) throw new GatewayError('Unauthenticated', refusal.text);
    this.#count(caller, 'anonymous');
  }

  admit(caller: Caller, wish: Wish): Promise<() => void> {
    // one after the other, or two at once would both find room for one
    const turn = this.#last.then(() => this.#admit(caller, wish));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** What a quota would say to this wish now, for who asks and does not want it yet; undefined = it would be let through. Counts nothing. */
  async excess(caller: Caller, wish: Wish): Promise<Excess | undefined> {
    const holder: Holder = { owner: caller.id, groups: caller.groups };
    for (const scope of scopesOf(this.#parts.config, holder)) {
      const excess = (await this.#keepsTooMuch(scope, wish)) ?? (wish.run ? (asksTooMuch(scope, wish) ?? (await this.#runsTooMuch(scope, wish))) : undefined);
      if (excess !== undefined) return excess;
    }
    return undefined;
  }

  async holdsBack({ owner, groups }: Holder): Promise<boolean> {
    for (const scope of scopesOf(this.#parts.config, { owner, groups })) if ((await this.#cpuTooMuch(scope)) !== undefined) return true;
    return false;
  }

  async #admit(caller: Caller, wish: Wish): Promise<() => void> {
    const excess = await this.excess(caller, wish);
    if (excess !== undefined) throw refused(excess);
    const pending = { owner: caller.id, groups: caller.groups, create: wish.create, run: wish.run };
    this.#pending.add(pending);
    if (wish.run && wish.task !== null) for (const scope of scopesOf(this.#parts.config, pending)) if (scope.limits.images !== undefined) for (const { manifestDigest } of imagesOf(wish.task)) this.#images.count(scope, manifestDigest);
    return () => void this.#pending.delete(pending);
  }

  /** What is kept: records and results. */
  async #keepsTooMuch({ who, limits, holds, owner }: Scope, wish: Wish): Promise<Excess | undefined> {
    const most = 'jobs' in limits ? limits.jobs : undefined;
    if (most === undefined && limits.results === undefined) return undefined;
    const { jobs, resultBytes } = owner === undefined ? { jobs: 0, resultBytes: await this.#resultsOf(holds) } : await this.#parts.store.holdings(owner);
    const coming = [...this.#pending].filter((each) => each.create && holds(each)).length;
    if (wish.create && most !== undefined && jobs + coming >= most) return tooMuch('jobs', `${who} ${String(jobs + coming)} jobs, and ${String(most)} is the most that are kept; delete some`);
    if (limits.results === undefined || resultBytes < limits.results) return undefined;
    return tooMuch('results', `${who} ${formatSize(resultBytes)} of results, and ${formatSize(limits.results)} is the most that is kept; delete some jobs`);
  }

  async #resultsOf(holds: Scope['holds']): Promise<number> {
    const kept = await this.#parts.usage.kept();
    return kept.filter(({ groups }) => holds({ owner: null, groups })).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #runsTooMuch(scope: Scope, { task }: Wish): Promise<Excess | undefined> {
    const { who, limits, holds, owner } = scope;
    if (task !== null && limits.images !== undefined) {
      const wait = await this.#images.wait(scope, imagesOf(task).map(({ manifestDigest }) => manifestDigest), limits.images);
      if (wait > 0) return tooMany('images', `${who} run ${String(limits.images)} different images within a day, which is the most`, wait);
    }
    const excess = await this.#cpuTooMuch(scope);
    if (excess !== undefined || limits.queued === undefined) return excess;
    const waiting = await this.#parts.store.waiting(owner);
    const queued = waiting.filter(holds).length + [...this.#pending].filter((each) => each.run && holds(each)).length;
    return queued < limits.queued ? undefined : tooMany('queued', `${who} ${String(queued)} jobs waiting, and ${String(limits.queued)} is the most`, SOON);
  }

  async #cpuTooMuch(scope: Scope): Promise<Excess | undefined> {
    const { cpuHours } = scope.limits;
    if (cpuHours === undefined) return undefined;
    const { hours, wait } = await this.#cpu.used(scope, cpuHours);
    return wait === 0 ? undefined : tooMany('cpuHours', `${scope.who} used ${hours.toFixed(2)} hours of CPU time within a day, and ${String(cpuHours)} is the most`, wait);
  }

  #count(caller: Caller, nobody: string): void {
    for (const { key, who, limits } of scopesOf(this.#parts.config, { owner: caller.id, groups: caller.groups })) {
      if (limits.questions === undefined) continue;
      const wait = this.#questions.take(caller.id === null && key === 'anonymous' ? nobody : key, limits.questions);
      if (wait > 0) throw refused(tooMany('questions', `${who} asked more than ${String(limits.questions)} questions within a minute, which is the most`, wait));
    }
  }
}

/** What no waiting helps: the job is larger than everything that its owner may have at once. */
function asksTooMuch({ who, limits }: Scope, { task }: Wish): Excess | undefined {
  if (task === null) return undefined;
  const { cores, memory } = task.resources;
  if (cores > (limits.cores ?? Infinity)) return tooMuch('cores', `the job asks for ${String(cores)} cores, and ${who} ${String(limits.cores)} at most`);
  if (memory > (limits.memory ?? Infinity)) return tooMuch('memory', `the job asks for ${formatSize(memory)} of memory, and ${who} ${formatSize(limits.memory ?? 0)} at most`);
  return undefined;
}

function tooMuch(what: string, text: string): Excess {
  return { code: `quota.${what}`, text };
}

function tooMany(what: string, text: string, seconds: number): Excess {
  return { code: `quota.${what}`, text: `${text}; try again in ${String(seconds)} s`, retryAfter: seconds };
}

/** As the answer to who does what is too much. */
function refused({ code, text, retryAfter }: Excess): GatewayError {
  if (retryAfter === undefined) return new GatewayError('Forbidden', text, { path: code });
  return new GatewayError('TooManyRequests', text, { path: code, headers: { 'Retry-After': String(retryAfter) } });
}
