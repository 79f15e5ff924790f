import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { JobService } from '../execution/job-service.ts';
import type { JobWatch } from '../execution/job-watch.ts';
import { type Field } from '../http/request-body.ts';
import { valueOf } from '../http/parameters.ts';
import type { Job } from '../job/job.ts';
import { ACTIVE_PHASES, type Phase, isPhase } from '../job/phase.ts';
import { Shares } from './shares.ts';

/** What a site lets clients wait for. */
export interface WaitLimits {
  /** Seconds that one answer is held at most; clients need at least 10, proxies break off at some minutes (uws.md 1.7). */
  readonly cap: number;
  /** Requests that are held at once; one more is answered at once. */
  readonly waiters: number;
  /** Of these, for one caller, likewise; absent = all of them. */
  readonly each?: number;
}

/** What WAIT and PHASE of a request ask for. */
export interface WaitRequest {
  /** Seconds, at most the cap; 0 = not at all. */
  readonly seconds: number;
  /** Wait only while the job is in this phase. */
  readonly phase: Phase | undefined;
}

/**
 * WAIT and PHASE of `GET {job}` (UWS 1.1 §2.2.1.2): whole seconds, -1 = as long as may be, cut to the cap. Throws BadParameter
 * for anything else.
 */
export function parseWait(query: readonly Field[], cap: number): WaitRequest {
  const phase = valueOf(query, 'PHASE');
  if (phase !== undefined && !isPhase(phase)) throw new GatewayError('BadParameter', 'PHASE must be one of the ten phases of UWS', { path: 'PHASE' });
  const wait = valueOf(query, 'WAIT');
  if (wait === undefined) return { seconds: 0, phase };
  if (!/^(?:\d+|-1)$/.test(wait)) throw new GatewayError('BadParameter', 'WAIT must be a whole number of seconds, or -1', { path: 'WAIT' });
  return { seconds: wait === '-1' ? cap : Math.min(Number(wait), cap), phase };
}

/** Requests that wait for a job to change phase: woken by the change, not by polling. */
export class Waiting {
  readonly #service: JobService;
  readonly #watch: JobWatch;
  readonly #clock: Clock;
  readonly #limits: WaitLimits;
  readonly #shares: Shares;
  #waiters = 0;
  #closed = false;

  constructor(parts: { readonly service: JobService; readonly watch: JobWatch; readonly clock: Clock; readonly limits: WaitLimits }) {
    this.#service = parts.service;
    this.#watch = parts.watch;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    this.#shares = new Shares(parts.limits.each ?? Infinity);
  }

  /** Seconds that an answer is held at most. */
  get cap(): number {
    return this.#limits.cap;
  }

  /** Requests that wait at present. */
  get waiters(): number {
    return this.#waiters;
  }

  /** Whether the gateway is about to stop: answers should close their connections. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Answers everybody who waits, and from now on everybody at once: for shutdown. */
  close(): void {
    this.#closed = true;
    this.#watch.wakeAll();
  }

  /**
   * The job as soon as it has left the phase it is in now, at the latest after the seconds asked for, or when `gone` aborts. `holder`: who waits, of whom so many may at once. At
   * once where the standard wants it: phase not active, or not the one named. Throws NotFound when the job is deleted meanwhile.
   */
  async wait(id: string, caller: Caller, asked: WaitRequest, gone: AbortSignal, holder: string): Promise<Job> {
    // Subscribed before the phase is read, so that no change falls between (uws.md 7, trap 20).
    const bell = new Bell();
    const unsubscribe = this.#watch.subscribe(id, () => bell.ring());
    const release = this.#shares.take(holder);
    this.#waiters += 1;
    try {
      const job = await this.#service.get(id, caller);
      if (release === undefined || !this.#free || !ACTIVE_PHASES.has(job.phase) || (asked.phase ?? job.phase) !== job.phase) return job;
      return await this.#until((now) => now.phase !== job.phase, job, caller, asked.seconds, bell, gone);
    } finally {
      this.#waiters -= 1;
      release?.();
      unsubscribe();
    }
  }

  /** The job as soon as it is over or waits for its client, at the latest after the cap. Throws NotFound as `wait` does. */
  async waitForEnd(id: string, caller: Caller, gone: AbortSignal, holder: string): Promise<Job> {
    const bell = new Bell();
    const unsubscribe = this.#watch.subscribe(id, () => bell.ring());
    const release = this.#shares.take(holder);
    this.#waiters += 1;
    const over = ({ phase }: Job): boolean => phase !== 'QUEUED' && phase !== 'EXECUTING';
    try {
      const job = await this.#service.get(id, caller);
      return over(job) || release === undefined || !this.#free ? job : await this.#until(over, job, caller, this.cap, bell, gone);
    } finally {
      this.#waiters -= 1;
      release?.();
      unsubscribe();
    }
  }

  /**
   * The job now, after each of its changes, and every so many milliseconds, until the client has gone or the gateway stops. Throws
   * NotFound when it is deleted.
   */
  async *changes(id: string, caller: Caller, gone: AbortSignal, every: number): AsyncGenerator<Job> {
    const bell = new Bell();
    const ring = (): void => bell.ring();
    const ended = new AbortController();
    void this.#tick(every, ring, ended.signal);
    const unsubscribe = this.#watch.subscribe(id, ring);
    gone.addEventListener('abort', ring, { once: true });
    try {
      while (!this.#closed && !gone.aborted) {
        yield await this.#service.get(id, caller);
        await bell.rung();
      }
    } finally {
      unsubscribe();
      ended.abort();
      gone.removeEventListener('abort', ring);
    }
  }

  async #tick(every: number, ring: () => void, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#clock.sleep(every, ended);
      ring();
    }
  }

  get #free(): boolean {
    return !this.#closed && this.#waiters <= this.#limits.waiters;
  }

  async #until(holds: (job: Job) => boolean, before: Job, caller: Caller, seconds: number, bell: Bell, gone: AbortSignal): Promise<Job> {
    const deadline = new AbortController();
    const stop = (): void => bell.ring();
    gone.addEventListener('abort', stop, { once: true });
    let over = false;
    void this.#clock.sleep(seconds * 1000, deadline.signal).then(() => {
      over = true;
      bell.ring();
    });
    try {
      for (;;) {
        await bell.rung();
        // The bell is a hint, the store the truth: also after the deadline, which may hide a change of the same moment.
        const job = await this.#service.get(before.id, caller);
        if (over || this.#closed || gone.aborted || holds(job)) return job;
      }
    } finally {
      deadline.abort();
      gone.removeEventListener('abort', stop);
    }
  }
}

/** Remembers that it was rung until somebody has listened. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async rung(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#rung = false;
    this.#wake = undefined;
  }
}
