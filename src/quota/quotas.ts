import ipaddr from 'ipaddr.js';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Admission, Wish } from '../execution/admission.ts';
import type { JobStore } from '../store/job-store.ts';
import type { Reason } from '../policy/verdict.ts';
import { imagesOf } from '../task/project.ts';
import { formatSize } from '../task/units.ts';
import { ImagesADay } from './images-a-day.ts';
import type { QuotaConfig } from './quota-config.ts';
import { type Holder, ownerScope, type Scope, scopesOf } from './quota-scope.ts';
import { TokenBuckets } from './token-bucket.ts';

export interface QuotaParts {
  readonly config: QuotaConfig;
  readonly store: Pick<JobStore, 'waiting' | 'holdings'>;
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
  /** Jobs that were let through and that the store does not have yet. */
  readonly #pending = new Set<Holder & Pick<Wish, 'create' | 'run'>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: QuotaParts) {
    this.#parts = parts;
    this.#questions = new TokenBuckets(parts.clock);
    this.#images = new ImagesADay(parts.clock);
  }

  /** One question to /accepts. `address`: where it comes from, for who has no other name. Throws Unauthenticated, TooManyRequests. */
  ask(caller: Caller, address: string): void {
    if (caller.id === null && !this.#parts.anonymous.ask) throw new GatewayError('Unauthenticated', 'sign in to ask this site');
    this.#count(caller, `anonymous at ${networkOf(address)}`);
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

  async #admit(caller: Caller, wish: Wish): Promise<() => void> {
    const { config } = this.#parts;
    const holder: Holder = { owner: caller.id, groups: caller.groups };
    const scopes = scopesOf(config, holder);
    await this.#refuseHoldings(holder, wish);
    if (wish.run) for (const scope of scopes) await this.#refuseRun(scope, wish);
    const pending = { ...holder, create: wish.create, run: wish.run };
    this.#pending.add(pending);
    if (wish.run && wish.task !== null) for (const { key, limits } of scopes) if (limits.images !== undefined) for (const { manifestDigest } of imagesOf(wish.task)) this.#images.count(key, manifestDigest);
    return () => void this.#pending.delete(pending);
  }

  /** What is kept of the caller: records and results. */
  async #refuseHoldings(holder: Holder, wish: Wish): Promise<void> {
    const { who, limits, holds } = ownerScope(this.#parts.config, holder);
    if (limits.jobs === undefined && limits.results === undefined) return;
    const { jobs, resultBytes } = await this.#parts.store.holdings(holder.owner);
    const coming = [...this.#pending].filter((each) => each.create && holds(each)).length;
    if (wish.create && limits.jobs !== undefined && jobs + coming >= limits.jobs) {
      throw tooMuch('jobs', `${who} ${String(jobs + coming)} jobs, and ${String(limits.jobs)} is the most that are kept; delete some`);
    }
    if (limits.results !== undefined && resultBytes >= limits.results) {
      throw tooMuch('results', `${who} ${formatSize(resultBytes)} of results, and ${formatSize(limits.results)} is the most that is kept; delete some jobs`);
    }
  }

  async #refuseRun({ key, who, limits, holds, owner }: Scope, { task }: Wish): Promise<void> {
    if (task !== null) {
      const { cores, memory } = task.resources;
      if (cores > (limits.cores ?? Infinity)) throw tooMuch('cores', `the job asks for ${String(cores)} cores, and ${who} ${String(limits.cores)} at most`);
      if (memory > (limits.memory ?? Infinity)) throw tooMuch('memory', `the job asks for ${formatSize(memory)} of memory, and ${who} ${formatSize(limits.memory ?? 0)} at most`);
      const wait = limits.images === undefined ? 0 : this.#images.wait(key, imagesOf(task).map(({ manifestDigest }) => manifestDigest), limits.images);
      if (wait > 0) throw tooMany('images', `${who} run ${String(limits.images)} different images within a day, which is the most`, wait);
    }
    if (limits.queued === undefined) return;
    const waiting = await this.#parts.store.waiting(owner);
    const queued = waiting.filter(holds).length + [...this.#pending].filter((each) => each.run && holds(each)).length;
    if (queued >= limits.queued) throw tooMany('queued', `${who} ${String(queued)} jobs waiting, and ${String(limits.queued)} is the most`, SOON);
  }

  #count(caller: Caller, nobody: string): void {
    for (const { key, who, limits } of scopesOf(this.#parts.config, { owner: caller.id, groups: caller.groups })) {
      if (limits.questions === undefined) continue;
      const wait = this.#questions.take(caller.id === null && key === 'anonymous' ? nobody : key, limits.questions);
      if (wait > 0) throw tooMany('questions', `${who} asked more than ${String(limits.questions)} questions within a minute, which is the most`, wait);
    }
  }
}

/** An address as one client can be told from another by it: whoever has an IPv6 address has 2^64 of them. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}

function tooMuch(what: string, message: string): GatewayError {
  return new GatewayError('Forbidden', message, { path: `quota.${what}` });
}

function tooMany(what: string, message: string, seconds: number): GatewayError {
  return new GatewayError('TooManyRequests', `${message}; try again in ${String(seconds)} s`, { path: `quota.${what}`, headers: { 'Retry-After': String(seconds) } });
}
