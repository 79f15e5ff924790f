import type { Instant } from '../clock.ts';
import { cleaned, DockerStatusError } from './docker-errors.ts';
import { type ProjectMarks, startMark } from './docker-project-marks.ts';
import type { ServiceRun } from './docker-project-state.ts';
import type { EngineRun } from './engine.ts';

/** Times a container had been started once more, were this start made: 0 = its first. */
function numberOf({ run, restarts }: ServiceRun): number {
  return run.state === 'created' ? 0 : restarts + 1;
}

/**
 * Starts of containers, each made once by this process: whoever gives up to wait for one leaves it on its way, and whoever looks
 * meanwhile sees a container that has yet to start. To start it then, when it is perhaps over already, would run it twice.
 */
export class ProjectStarts {
  readonly #marks: ProjectMarks;
  /** The latest start of each container; kept when it has been made, for others may have looked before. */
  readonly #begun = new Map<string, { readonly jobId: string; readonly number: number; readonly done: Promise<void>; over: boolean }>();
  /** The engine's words, by container; it mostly keeps them itself, but not when it fails early, nor when it goes down then. */
  readonly #refusals = new Map<string, { readonly startedAt: Instant | undefined; readonly words: string }>();

  /** Containers whose start was written down, and not made, by this process. */
  readonly #unsent = new Set<string>();

  constructor(marks: ProjectMarks) {
    this.#marks = marks;
  }

  /** Makes a start that `one` is due; one that has begun already is waited for, and its failure is its beginner's. Rejects as `start` does. */
  async once(one: ServiceRun, start: () => Promise<unknown>): Promise<void> {
    const number = numberOf(one);
    const begun = this.#begun.get(one.container);
    if (begun !== undefined && begun.number >= number) return void (await begun.done.catch(() => undefined));
    const made = { jobId: one.run.jobId, number, done: start().then(() => undefined), over: false };
    this.#begun.set(one.container, made);
    try {
      await made.done;
    } catch (error) {
      if (this.#begun.get(one.container) === made) this.#begun.delete(one.container);
      throw error;
    } finally {
      made.over = true;
    }
  }

  /**
   * The same with the intent written first, so that nobody starts it again who does not know what became of it. `mayAct` is asked
   * before either, and its error is thrown. Where the engine answers that it cannot start it, that is kept, and the start is not made
   * again: it is counted, and whether the program ran is not always known then.
   */
  async marked(one: ServiceRun, mayAct: () => Promise<void>, start: () => Promise<unknown>): Promise<void> {
    await this.once(one, async () => {
      const number = numberOf(one);
      await mayAct();
      await this.#marks.set(one.container, number === 0 ? { asked: true } : { restarts: number, since: startMark(one.run.startedAt) });
      this.#unsent.add(one.container);
      await mayAct();
      this.#unsent.delete(one.container);
      await start().catch((error: unknown) => {
        if (!(error instanceof DockerStatusError)) throw error;
        this.#refusals.set(one.container, { startedAt: one.run.startedAt, words: cleaned(error.message) });
      });
    });
  }

  /** Why the latest start of a container that is seen like this was refused; undefined = it was not, or not to this process. */
  refusal(container: string, run: EngineRun): string | undefined {
    const refused = this.#refusals.get(container);
    return refused === undefined || run.state === 'running' || run.startedAt !== refused.startedAt ? undefined : refused.words;
  }

  /** Whether the engine was never told to make the start that was written down last. */
  isUnsent(container: string): boolean {
    return this.#unsent.has(container);
  }

  /** The number of the start that is under way here. */
  underWay(container: string): number | undefined {
    const begun = this.#begun.get(container);
    return begun === undefined || begun.over ? undefined : begun.number;
  }

  /** Resolves when no start of the job's is under way here, whatever became of it. */
  async settled(jobId: string): Promise<void> {
    await Promise.allSettled([...this.#begun.values()].filter((begun) => begun.jobId === jobId).map(({ done }) => done));
  }

  /** To be called when the container is gone. */
  forget(container: string): void {
    this.#begun.delete(container);
    this.#refusals.delete(container);
    this.#unsent.delete(container);
  }
}
