import { LRUCache } from 'lru-cache';
import type { Instant } from '../clock.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { BaseCatalogue } from './base-catalogue.ts';
import { findBase, type FoundBase, revocationFindings } from './base-rules.ts';
import { configurationFindings } from './configuration-rules.ts';
import type { ExternalVerifier } from './external-verifier.ts';
import { type Check, checked } from './judgement.ts';
import type { CompiledPolicy, Rule } from './rule.ts';
import { judgeSignature } from './signature-rules.ts';
import type { Clock } from '../clock.ts';
import type { Registry } from '../registry/registry.ts';

export interface ImageJudgeParts {
  readonly policy: CompiledPolicy;
  readonly clock: Clock;
  readonly catalogue: BaseCatalogue;
  readonly verifier: ExternalVerifier;
}

/** With what an image is judged. */
export interface Bench {
  /** As who asks reads it. */
  readonly registry: Registry;
  readonly platform: Platform;
}

/** What a rule says of an image's documents, whoever asks and whatever else the task is. */
export interface ImageJudgement {
  readonly checks: readonly Check[];
  readonly base?: FoundBase;
}

interface Remembered {
  readonly judgement: ImageJudgement;
  readonly until: Instant;
  /** Of the catalogue: a new sighting of a base may turn a no into a yes. */
  readonly revision: number;
}

const MAX_REMEMBERED = 10_000;
/** A yes can turn into a no only by age; a no (a signature is added) or a warning is looked at again soon (milliseconds). */
const YES_LIFETIME = 600_000;
const NO_LIFETIME = 30_000;

/** Judges images by their documents, and remembers the judgement by digest: repeated, it costs no request. */
export class ImageJudge {
  readonly #parts: ImageJudgeParts;
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });

  constructor(parts: ImageJudgeParts) {
    this.#parts = parts;
  }

  /** Every check of the rule that needs nothing but the image. Throws what keeps a base or a required signature from being read. */
  async judge(image: Image, rule: Rule, bench: Bench, signal: AbortSignal): Promise<ImageJudgement> {
    const { clock, catalogue } = this.#parts;
    const key = `${rule.name} ${image.reference.domain}/${image.reference.path} ${image.indexDigest ?? ''} ${image.manifestDigest}`;
    const known = this.#remembered.get(key);
    if (known !== undefined && known.revision === catalogue.revision && clock.now() < known.until) return known.judgement;
    const judgement = await this.#judge(image, rule, bench, signal);
    const clean = judgement.checks.every(({ refusals, warnings }) => refusals.length + warnings.length === 0);
    const until = clock.now() + (clean ? YES_LIFETIME : NO_LIFETIME);
    this.#remembered.set(key, { judgement, until, revision: catalogue.revision });
    return judgement;
  }

  async #judge(image: Image, rule: Rule, { registry, platform }: Bench, signal: AbortSignal): Promise<ImageJudgement> {
    const { policy, clock, catalogue, verifier } = this.#parts;
    const now = clock.now();
    const checks: Check[] = [];
    let base: FoundBase | undefined;
    if (rule.bases !== undefined) {
      const found = await findBase(image, rule.bases, catalogue, platform, now, signal);
      if ('sighting' in found) base = found;
      checks.push('sighting' in found ? checked('base', [], builtOn(found)) : checked('base', found));
    }
    checks.push(checked('revocation', revocationFindings(image, catalogue, platform, policy.revoked)));
    checks.push(checked('configuration', configurationFindings(image, rule, base?.sighting, now)));
    if (rule.signature.mode !== 'off') {
      const { signedBy, ...outcome } = await judgeSignature(image, rule.signature, registry, verifier, signal);
      checks.push({ check: 'signature', ...outcome, ...(signedBy === undefined ? {} : { note: `signed, says ${signedBy}` }) });
    }
    return { checks, ...(base === undefined ? {} : { base }) };
  }
}

function builtOn({ name, sighting }: FoundBase): string {
  const [first, last] = [sighting.firstSeen, sighting.lastSeen].map((at) => new Date(at).toISOString());
  return `built on ${name} (${sighting.manifestDigest}), which ${sighting.reference} named from ${first ?? ''} to ${last ?? ''}`;
}
