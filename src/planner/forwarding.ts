import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Header of a forwarded question: the planners it has come through, by their marks. */
export const VIA_HEADER = 'planner-via';

/** A question is forwarded over at most this many planners. */
const MAX_HOPS = 3;

/** What a planner calls itself in that header: the same after every start, and nobody else's. */
export function plannerMark(url: string): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 16);
}

/** The marks of a question; what is none is left out. */
export function viaOf(headers: IncomingHttpHeaders): readonly string[] {
  const header = headers[VIA_HEADER];
  if (typeof header !== 'string') return [];
  return header.slice(0, 1000).split(',').map((mark) => mark.trim()).filter((mark) => /^[0-9a-f]{16}$/.test(mark));
}

/** Whether a question that has come this way may be forwarded once more by the planner of this mark. */
export function mayForward(via: readonly string[], mark: string): boolean {
  return via.length < MAX_HOPS && !via.includes(mark);
}
