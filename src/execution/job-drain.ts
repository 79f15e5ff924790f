import type { Clock } from '../clock.ts';
import type { Closure } from './closure.ts';
import type { JobQueue } from './job-queue.ts';
import type { JobRunner } from './job-runner.ts';

export interface JobDrainParts {
  readonly queue: JobQueue;
  readonly runner: JobRunner;
  readonly clock: Clock;
}

const DRAINING: Closure = { code: 'site.draining', text: 'the gateway is being drained: it takes and starts no new jobs until it has been restarted', retryAfter: 60 };

const ENDED = 'ended by the site, which could not wait for it any longer: the gateway is being drained; the job can be submitted again';

/** Between two looks for jobs that were about to start when the others were ended, or that are taken up only now (milliseconds). */
const AGAIN = 1_000;

/** The end of work in good order. It is no longer than the process lives: nobody finds a gateway drained that he has just started. */
export class JobDrain {
  readonly #parts: JobDrainParts;
  #deadline = new AbortController();

  constructor(parts: JobDrainParts) {
    this.#parts = parts;
  }

  /** Queued jobs wait, running ones go on; those that still do after `abortAfter` seconds are ended. A later call has the last word. */
  begin(abortAfter?: number): void {
    this.#parts.queue.drain();
    this.stop();
    if (abortAfter !== undefined) void this.#abort(abortAfter * 1000, this.#deadline.signal);
  }

  end(): void {
    this.stop();
    this.#parts.queue.resume();
  }

  /** Nobody is ended any more by a drain that was begun before. */
  stop(): void {
    this.#deadline.abort();
    this.#deadline = new AbortController();
  }

  get closure(): Closure | undefined {
    return this.#parts.queue.draining ? DRAINING : undefined;
  }

  async #abort(after: number, signal: AbortSignal): Promise<void> {
    const { clock, runner } = this.#parts;
    for (let pause = after; ; pause = AGAIN) {
      await clock.sleep(pause, signal);
      if (signal.aborted) return;
      await runner.abortAll(ENDED);
    }
  }
}
