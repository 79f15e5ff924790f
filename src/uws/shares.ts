/** Counts who holds how much of something that there is for all, so that nobody has the whole of it. */
export class Shares {
  readonly #most: number;
  readonly #held = new Map<string, number>();

  /** `most`: what one may hold at once. */
  constructor(most: number) {
    this.#most = most;
  }

  /** One more for this holder, until the function that it returns is called, once; undefined = it has as many as it may. */
  take(holder: string): (() => void) | undefined {
    const held = this.#held.get(holder) ?? 0;
    if (held >= this.#most) return undefined;
    this.#held.set(holder, held + 1);
    return () => {
      const left = (this.#held.get(holder) ?? 1) - 1;
      if (left > 0) this.#held.set(holder, left);
      else this.#held.delete(holder);
    };
  }
}
