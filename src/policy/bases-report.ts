import type { Instant } from '../clock.ts';
import type { BaseCatalogue } from './base-catalogue.ts';
import { type BaseSighting, isRevoked } from './base-sighting.ts';
import type { CompiledPolicy } from './rule.ts';

/** What is known of one approved base. */
export interface BaseReport {
  readonly name: string;
  readonly reference: string;
  /** The earliest sight of it; null = never seen. */
  readonly since: Instant | null;
  /** When the registry was last asked; null = not since the start. */
  readonly askedAt: Instant | null;
  /** Why it cannot be used or could not be asked for. */
  readonly problem: string | null;
  /** Newest first. */
  readonly digests: readonly (BaseSighting & { readonly counts: boolean; readonly why: string | null })[];
}

/** Every approved base with the digests its reference has had, and whether each still counts at `now`. */
export function basesReport(policy: CompiledPolicy, catalogue: BaseCatalogue, now: Instant): readonly BaseReport[] {
  return policy.bases.map((base) => {
    const sightings = catalogue.sightingsOf(base);
    const state = catalogue.state(base);
    return {
      name: base.name,
      reference: base.key,
      since: sightings.length === 0 ? null : Math.min(...sightings.map(({ firstSeen }) => firstSeen)),
      askedAt: state?.askedAt ?? null,
      problem: state?.problem ?? state?.outage?.message ?? null,
      digests: sightings.map((sighting) => {
        const revoked = isRevoked(sighting, policy.revoked);
        const old = base.maxAge !== undefined && now - sighting.lastSeen > base.maxAge;
        return { ...sighting, counts: !revoked && !old, why: revoked ? 'revoked' : old ? 'older than maxAge' : null };
      }),
    };
  });
}

/** The report in lines for a terminal. */
export function basesLines(report: readonly BaseReport[]): readonly string[] {
  if (report.length === 0) return ['no base is approved'];
  return report.flatMap(({ name, reference, since, problem, digests }) => [
    `${name}  ${reference}  ${since === null ? 'never seen' : `since ${iso(since)}`}${problem === null ? '' : `  (${problem})`}`,
    ...digests.map(
      ({ tagDigest, manifestDigest, diffIds, firstSeen, lastSeen, platform, why }) =>
        `  ${tagDigest}  ${iso(firstSeen)} to ${iso(lastSeen)}  ${String(diffIds.length)} layers  ${platform.os}/${platform.architecture}${tagDigest === manifestDigest ? '' : `  manifest ${manifestDigest}`}${why === null ? '' : `  does not count: ${why}`}`,
    ),
  ]);
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}
