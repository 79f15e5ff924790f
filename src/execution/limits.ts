import type { Instant } from '../clock.ts';
import { GatewayError } from '../errors.ts';

/** A value that a job gets when it asks for nothing, and the most it can get. */
export interface Bounded {
  readonly default: number;
  readonly max: number;
}

/** What a site gives a job, whatever the job asks for. */
export interface JobLimits {
  /** Seconds of wall clock; a max of 0 = a job may run without limit. */
  readonly executionDuration: Bounded;
  /** Seconds from creation to destruction. */
  readonly lifetime: Bounded;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** Bytes kept of all results of a job together. */
  readonly resultBytes: number;
  /** Files kept of /output. */
  readonly resultFiles: number;
}

/** executionDuration is an xs:int in the UWS schema. */
const LONGEST = 2 ** 31 - 1;

/** The executionDuration a job gets that asks for `seconds` (0 = unlimited, which a site with a maximum cuts to it). */
export function clampDuration(seconds: number | undefined, limits: JobLimits): number {
  const { default: initial, max } = limits.executionDuration;
  const asked = Math.min(seconds ?? initial, LONGEST);
  if (max === 0) return asked;
  return asked === 0 ? max : Math.min(asked, max);
}

/** The destruction instant a job gets that asks for `asked`: counted from its creation, at most the site's lifetime. */
export function clampDestruction(asked: Instant | undefined, creationTime: Instant, limits: JobLimits): Instant {
  const { default: initial, max } = limits.lifetime;
  return Math.min(asked ?? creationTime + initial * 1000, creationTime + max * 1000);
}

/** Throws BadParameter for a destruction that could only be at once. */
export function refusePast(destruction: Instant | undefined, now: Instant): void {
  if (destruction !== undefined && destruction <= now) throw new GatewayError('BadParameter', 'DESTRUCTION lies in the past', { path: 'DESTRUCTION' });
}
