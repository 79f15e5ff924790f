import type { Instant } from '../clock.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import { formatDuration } from '../task/units.ts';
import type { BaseCatalogue } from './base-catalogue.ts';
import { commonLayers } from './base-layer.ts';
import { type BaseSighting, isRevoked } from './base-sighting.ts';
import type { ApprovedBase } from './rule.ts';
import type { Finding } from './verdict.ts';

/** The approved base that an image is built on. */
export interface FoundBase {
  readonly name: string;
  readonly sighting: BaseSighting;
}

/** How many bases are named in an answer; a policy may have thousands. */
const NAMED = 5;

/**
 * The longest of the approved `bases` that the image is built on, or why there is none. Throws RegistryUnavailable (or what
 * else kept a base from being read) where the image is built on no known one and another is not known: a no could be wrong.
 */
export async function findBase(
  image: Image,
  bases: ReadonlyMap<string, ApprovedBase>,
  catalogue: BaseCatalogue,
  platform: Platform,
  now: Instant,
  signal: AbortSignal,
): Promise<FoundBase | readonly Finding[]> {
  const outage = await catalogue.learn(bases, platform, signal);
  const beneath = catalogue.beneath(image.diffIds, platform).flatMap((sighting) => {
    const base = bases.get(sighting.reference);
    return base === undefined ? [] : [{ base, sighting }];
  });
  const current = beneath.find(({ base, sighting }) => !isTooOld(base, sighting, now));
  if (current !== undefined) return { name: current.base.name, sighting: current.sighting };
  if (outage !== undefined) throw outage;
  const [old] = beneath;
  const text = old === undefined ? notBuiltOn(image, [...bases.values()], catalogue) : tooOld(old.base, old.sighting);
  return [{ code: 'image.base', path: 'image', text }];
}

/** Whether operators have revoked this image: itself, one of its layers, or a base it is built on. */
export function revocationFindings(image: Image, catalogue: BaseCatalogue, platform: Platform, revoked: ReadonlySet<Digest>): readonly Finding[] {
  if (revoked.size === 0) return [];
  const own = [image.manifestDigest, image.indexDigest, image.configDigest, ...image.diffIds].find((digest) => digest !== undefined && revoked.has(digest));
  if (own !== undefined) return [revocation(`the site has revoked ${own}, which is this image or a part of it`)];
  const base = catalogue.beneath(image.diffIds, platform).find((sighting) => isRevoked(sighting, revoked));
  return base === undefined ? [] : [revocation(`the site has revoked ${base.tagDigest} (${base.reference}), on which the image is built; build it on the present one`)];
}

/** The no to a reference whose own digest is revoked, before anybody is asked. */
export function revokedByName(digest: Digest | undefined, revoked: ReadonlySet<Digest>): readonly Finding[] {
  return digest !== undefined && revoked.has(digest) ? [revocation(`the site has revoked ${digest}`)] : [];
}

function revocation(text: string): Finding {
  return { code: 'image.revoked', path: 'image', text };
}

function isTooOld(base: ApprovedBase, sighting: BaseSighting, now: Instant): boolean {
  return base.maxAge !== undefined && now - sighting.lastSeen > base.maxAge;
}

function tooOld(base: ApprovedBase, sighting: BaseSighting): string {
  const last = new Date(sighting.lastSeen).toISOString();
  const age = formatDuration(Math.round((base.maxAge ?? 0) / 1000));
  return `the image is built on ${base.name} as it was until ${last} (${sighting.manifestDigest}); at most ${age} are allowed: build it anew on ${base.key}`;
}

function notBuiltOn(image: Image, bases: readonly ApprovedBase[], catalogue: BaseCatalogue): string {
  const names = bases.slice(0, NAMED).map(({ name, key }) => `${name} (${key})`);
  const more = bases.length > NAMED ? ` and ${String(bases.length - NAMED)} more` : '';
  return `the image is not built on an approved base: its layers do not begin with those of ${names.join(', ')}${more}${nearMiss(image, bases, catalogue)}; build it FROM one of them, without squashing layers`;
}

/** Bases looked at for a hint: a refusal shall not cost more where a thousand are approved. */
const LOOKED_AT = 20;

/** What came nearest: the commonest cause is a base rebuilt between two looks, or one layer of it replaced. */
function nearMiss(image: Image, bases: readonly ApprovedBase[], catalogue: BaseCatalogue): string {
  let best: { common: number; of: number; name: string } | undefined;
  for (const base of bases.slice(0, LOOKED_AT)) {
    for (const { diffIds } of catalogue.sightingsOf(base)) {
      const common = commonLayers(diffIds, image.diffIds);
      if (common > (best?.common ?? 0)) best = { common, of: diffIds.length, name: base.name };
    }
  }
  return best === undefined ? '' : ` (the nearest is ${best.name}: ${String(best.common)} of its ${String(best.of)} layers are the same)`;
}
