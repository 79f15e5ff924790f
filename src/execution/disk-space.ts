import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Closure } from './closure.ts';

/** How much the gateway may have on the disk of its data folder (bytes). */
export interface DiskBudget {
  /** Left free for whoever else writes there, and for jobs that run already. */
  readonly keepFree: number;
  /** Results of all jobs together; absent = whatever fits. */
  readonly results?: number | undefined;
  /** The store of the jobs; absent = whatever fits. */
  readonly store?: number | undefined;
}

/** What the disk has at present (bytes). */
export interface DiskState {
  readonly free: () => Promise<number>;
  readonly store: () => Promise<number>;
  readonly results: () => Promise<number>;
}

export interface DiskSpaceParts {
  readonly budget: DiskBudget;
  readonly state: DiskState;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Between two looks (milliseconds). What is written meanwhile is what `keepFree` is for. */
const LOOK = 1_000;

/** Between two sums of all results, which take the store a while where there are many (milliseconds). */
const SUM = 10_000;

/** Destructions make room, and those are rarely seconds apart. */
const RETRY_AFTER = 60;

/**
 * Knows whether there is room for one more job: while there is not, none is taken and none is started. What is there is served, and what
 * runs goes on, in any case. A disk that cannot be asked has no room.
 */
export class DiskSpace {
  readonly #parts: DiskSpaceParts;
  readonly #shutdown = new AbortController();
  #lack: string | undefined;
  #loop: Promise<void> = Promise.resolve();
  #results: { readonly at: number; readonly bytes: number } | undefined;

  constructor(parts: DiskSpaceParts) {
    this.#parts = parts;
  }

  /** Has looked once when it resolves, and goes on looking. */
  async start(): Promise<void> {
    await this.#look();
    this.#loop = this.#watch();
  }

  async stop(): Promise<void> {
    this.#shutdown.abort();
    await this.#loop;
  }

  /** Why there is no room, in words for clients; undefined = there is. */
  get closure(): Closure | undefined {
    return this.#lack === undefined ? undefined : { code: 'site.disk', text: `${this.#lack}: no new jobs are taken or started until there is room again`, retryAfter: RETRY_AFTER };
  }

  async #watch(): Promise<void> {
    const { signal } = this.#shutdown;
    for (;;) {
      await this.#parts.clock.sleep(LOOK, signal);
      if (signal.aborted) return;
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { logger } = this.#parts;
    const lack = await this.#ask().catch((error: unknown) => {
      logger.error({ err: error }, 'the disk of the data folder cannot be asked');
      return "the site's disk cannot be read";
    });
    if (lack !== this.#lack) logger[lack === undefined ? 'info' : 'error']({}, lack ?? 'there is room on the disk again');
    this.#lack = lack;
  }

  async #ask(): Promise<string | undefined> {
    const { budget, state } = this.#parts;
    if ((await state.free()) < budget.keepFree) return "the site's disk is nearly full";
    if (budget.store !== undefined && (await state.store()) >= budget.store) return 'the records of all jobs fill what the site keeps for them';
    if (budget.results !== undefined && (await this.#sum()) >= budget.results) return 'the results of all jobs fill what the site keeps for them';
    return undefined;
  }

  async #sum(): Promise<number> {
    const { clock, state } = this.#parts;
    const at = clock.monotonic();
    if (this.#results === undefined || at - this.#results.at >= SUM) this.#results = { at, bytes: await state.results() };
    return this.#results.bytes;
  }
}
