import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import type { HttpContext } from '../http/handler.ts';
import { VIA_HEADER } from './forwarding.ts';

/** An answer as it is sent. */
export interface SentAnswer {
  readonly mediaType: string;
  readonly text: string;
}

interface Kept extends SentAnswer {
  readonly until: number;
}

/** Different questions of one moment that are kept. */
const QUESTIONS = 1000;

/**
 * Answers of the last moment, for who asks the same again: portals ask for every visitor. Within the moment the same question of
 * the same caller has one judgement, one decision and one line in the audit log.
 */
export class AnswerCache {
  readonly #clock: Clock;
  readonly #moment: number;
  readonly #kept = new LRUCache<string, Kept>({ max: QUESTIONS });

  /** `moment`: milliseconds for which an answer is given again; 0 = never. */
  constructor(clock: Clock, moment: number) {
    this.#clock = clock;
    this.#moment = moment;
  }

  /** The answer to this very question, given a moment ago. */
  get(ctx: HttpContext, caller: Caller): SentAnswer | undefined {
    if (this.#moment === 0 || ctx.method !== 'GET') return undefined;
    const kept = this.#kept.get(keyOf(ctx, caller));
    return kept !== undefined && this.#clock.monotonic() < kept.until ? kept : undefined;
  }

  /** Keeps an answer for a moment. */
  put(ctx: HttpContext, caller: Caller, answer: SentAnswer): void {
    if (this.#moment > 0 && ctx.method === 'GET') this.#kept.set(keyOf(ctx, caller), { ...answer, until: this.#clock.monotonic() + this.#moment });
  }
}

/** Everything that an answer to GET depends on but time: who asks, what, and in which format. */
function keyOf({ req, url }: HttpContext, { id, groups }: Caller): string {
  const { accept, accepts, [VIA_HEADER]: via } = req.headers;
  return JSON.stringify([url, accept, accepts, via, id, groups]);
}
