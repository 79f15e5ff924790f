import type { Closure } from '../execution/closure.ts';
import type { No } from './offer.ts';

/** The answer of a site that takes no jobs of anybody at present: no, for now, and when to ask again. */
export function closedAnswer({ code, text, retryAfter }: Closure): No {
  return {
    word: 'NO',
    reasons: [{ httpcode: 503, code, path: '', text }],
    maybe: { kind: 'time', how: `ask again in ${String(retryAfter)} s`, seconds: retryAfter },
    retryAfter,
    warnings: [],
  };
}
