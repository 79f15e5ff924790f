/** Why this gateway takes no new jobs of anybody, and starts none, at present; what there is, is still served. */
export interface Closure {
  /** Stable, for programs: `site.draining`, `site.disk`. */
  readonly code: string;
  /** For people; says nothing of the inside. */
  readonly text: string;
  /** Seconds after which asking again may help. */
  readonly retryAfter: number;
}
