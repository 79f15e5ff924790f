import type { Clock } from '../clock.ts';
import type { ServiceRun } from './docker-project-state.ts';

/** Before the first restart, and at most (milliseconds); twice as long each time. */
const FIRST = 100;
const LONGEST = 10_000;

/** Keeps the pauses between the end of a container and its next start. Whoever begins to look begins the pause: the engine has a clock of its own. */
export class RestartPauses {
  readonly #clock: Clock;
  /** When the end was seen, by container and how often it was started. */
  readonly #seen = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those of `again` whose pause is over, and milliseconds until the next one's is; Infinity where none waits. */
  of(again: readonly ServiceRun[]): { readonly due: readonly ServiceRun[]; readonly pause: number } {
    const now = this.#clock.monotonic();
    const left = again.map((one) => {
      const key = `${one.container} ${String(one.restarts)}`;
      if (!this.#seen.has(key)) this.#seen.set(key, now);
      return { one, pause: (this.#seen.get(key) ?? now) + Math.min(FIRST * 2 ** one.restarts, LONGEST) - now };
    });
    const waiting = left.filter(({ pause }) => pause > 0);
    return { due: left.filter(({ pause }) => pause <= 0).map(({ one }) => one), pause: Math.min(...waiting.map(({ pause }) => pause)) };
  }
}
