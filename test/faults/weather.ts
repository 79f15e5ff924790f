/** Something is felt so long before and after (milliseconds). */
const AROUND = 3_000;

/** When something was not as it should be, by the harness's clock. */
export class Spells {
  readonly #spells: { readonly from: number; until: number }[] = [];

  begin(): void {
    this.#spells.push({ from: Date.now(), until: Infinity });
  }

  /** Ends those that have begun. */
  end(): void {
    for (const spell of this.#spells) spell.until = Math.min(spell.until, Date.now());
  }

  /** Whether there was one, or about to be or just over, between these instants. */
  within(from: number, until: number): boolean {
    return this.#spells.some((spell) => spell.from - AROUND < until && from < spell.until + AROUND);
  }
}
