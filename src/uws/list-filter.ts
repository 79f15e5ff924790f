import { GatewayError } from '../errors.ts';
import { valueOf, valuesOf } from '../http/parameters.ts';
import type { Field } from '../http/request-body.ts';
import { parseInstant } from '../job/instant.ts';
import type { JobFilter } from '../job/job.ts';
import { type Phase, isPhase } from '../job/phase.ts';

/**
 * PHASE (repeatable, union), AFTER and LAST of the job list (UWS 1.1 §2.2.1.1), and OWNER=* for operators; other parameters are none of ours. Throws
 * BadParameter rather than show another list than was asked for.
 */
export function parseListFilter(query: readonly Field[]): Pick<JobFilter, 'phases' | 'after' | 'last'> & { readonly everybody: boolean } {
  const phases = valuesOf(query, 'PHASE');
  const after = valueOf(query, 'AFTER');
  const last = valueOf(query, 'LAST');
  const owner = valueOf(query, 'OWNER');
  if (owner !== undefined && owner !== '*') throw new GatewayError('BadParameter', 'OWNER can only be *: the jobs of everybody, for operators', { path: 'OWNER' });
  return {
    everybody: owner === '*',
    ...(phases.length === 0 ? {} : { phases: [...new Set(phases.map(parsePhase))] }),
    ...(after === undefined ? {} : { after: parseAfter(after) }),
    ...(last === undefined ? {} : { last: parseLast(last) }),
  };
}

function parsePhase(text: string): Phase {
  if (isPhase(text)) return text;
  throw new GatewayError('BadParameter', 'PHASE must be one of the ten phases of UWS, in capitals; give several by repeating it', { path: 'PHASE' });
}

function parseAfter(text: string): number {
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  throw new GatewayError('BadParameter', 'AFTER must be a UTC date or date-time in ISO 8601, such as 2026-01-31T12:00:00Z', { path: 'AFTER' });
}

function parseLast(text: string): number {
  // More digits than any list has jobs: as good as all, and never an unsafe number in a query.
  if (/^\d+$/.test(text) && !/^0+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  throw new GatewayError('BadParameter', 'LAST must be a whole number greater than 0', { path: 'LAST' });
}
