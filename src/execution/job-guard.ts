import { TERMINAL_PHASES } from '../job/phase.ts';
import type { JobStore } from '../store/job-store.ts';
import type { JobWatch } from './job-watch.ts';
import type { Lease } from './lease.ts';

/** Why a runner lets go of a job before its end: the job is over, the gateway stops, or somebody else has the job now. */
export type Interruption = 'over' | 'shutdown' | 'lost';

export interface GuardParts {
  readonly watch: JobWatch;
  readonly store: JobStore;
  readonly lease: Lease;
}

/** Watches one job for its runner: aborts when the runner must let go, and tells of every other change. */
export class Guard {
  readonly #controller = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #parts: GuardParts;
  readonly #jobId: string;
  readonly #listeners = new Set<() => void>();
  #revision = 0;
  /** Why the runner must let go; undefined while it need not. */
  reason: Interruption | undefined;

  constructor(jobId: string, parts: GuardParts, shutdown: AbortSignal) {
    this.#jobId = jobId;
    this.#parts = parts;
    this.#unsubscribe = parts.watch.subscribe(jobId, () => this.glance());
    if (shutdown.aborted) this.#interrupt('shutdown');
    else shutdown.addEventListener('abort', () => this.#interrupt('shutdown'), { once: true, signal: this.#controller.signal });
    // the job may have been aborted between the claim and the subscription
    this.glance();
  }

  /** Aborts when the runner must let go. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** `look`, without anybody who waits for it. */
  glance(): void {
    this.look().catch(() => undefined);
  }

  /** Reads where the job stands now. Throws Unavailable when that cannot be told. */
  async look(): Promise<void> {
    const { lease, store } = this.#parts;
    const held = await lease.holds(this.#jobId);
    const job = await store.get(this.#jobId);
    if (!held) this.#interrupt('lost');
    else if (job === undefined || TERMINAL_PHASES.has(job.phase)) this.#interrupt('over');
    if (job === undefined || job.revision === this.#revision) return;
    this.#revision = job.revision;
    for (const listener of [...this.#listeners]) listener();
  }

  /** To be asked before everything that the engine is told to do: the job is still to run, and still ours. Throws what the signal aborts with, and Unavailable. */
  async mayAct(): Promise<void> {
    await this.look();
    this.signal.throwIfAborted();
  }

  /** Resolves at the next change of the job after this call; `cancel` to be called when nobody waits for it any more. */
  change(): { readonly happened: Promise<void>; readonly cancel: () => void } {
    let cancel = (): void => undefined;
    const happened = new Promise<void>((resolve) => {
      this.#listeners.add(resolve);
      cancel = () => void this.#listeners.delete(resolve);
    });
    return { happened, cancel };
  }

  /** To be called when the runner is done. */
  close(): void {
    this.#unsubscribe();
    this.#controller.abort(new Interrupted('done'));
  }

  #interrupt(reason: Interruption): void {
    this.reason ??= reason;
    this.#controller.abort(new Interrupted(reason));
  }
}

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Whether an operation was given up because its guard said so. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Interrupted;
}
