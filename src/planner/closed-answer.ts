import type { Excess } from '../execution/admission.ts';
import type { Closure } from '../execution/closure.ts';
import type { Maybe, No } from './offer.ts';

/** The answer of a site that takes no jobs of anybody at present: no, for now, and when to ask again. */
export function closedAnswer({ code, text, retryAfter }: Closure): No {
  return {
    word: 'NO',
    reasons: [{ httpcode: 503, code, path: '', text }],
    maybe: later(retryAfter),
    retryAfter,
    warnings: [],
  };
}

/** The answer to who has too much already: no, and when to ask again, where time helps. */
export function excessAnswer({ code, text, retryAfter }: Excess): No {
  const reasons = [{ httpcode: retryAfter === undefined ? 403 : 429, code, path: '', text }];
  return retryAfter === undefined ? { word: 'NO', reasons, warnings: [] } : { word: 'NO', reasons, maybe: later(retryAfter), retryAfter, warnings: [] };
}

function later(seconds: number): Maybe {
  return { kind: 'time', how: `ask again in ${String(seconds)} s`, seconds };
}
