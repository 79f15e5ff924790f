import type { Clock, Instant } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { Platform } from '../image/platform.ts';
import type { Logger } from '../logger.ts';
import { ImageUnacceptable, type Registry } from '../registry/registry.ts';
import { BaseIndex, baseProblem } from './base-layer.ts';
import { type BaseSighting, samePlatform, sightingOf } from './base-sighting.ts';
import type { BaseStore } from './base-store.ts';
import { orAborted, Slots } from './concurrency.ts';
import type { ApprovedBase } from './rule.ts';

/** The one platform that the site runs; may have to ask the engine. Throws EngineUnavailable. */
export type PlatformProvider = (signal: AbortSignal) => Promise<Platform>;

export interface BaseCatalogueParts {
  readonly registry: Registry;
  readonly platform: PlatformProvider;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: BaseStore;
}

/** How the last question about an approved base went. */
export interface BaseState {
  /** When the registry was last asked. */
  readonly askedAt: Instant;
  /** The registry's no, or why the image cannot be a base: for the operator. */
  readonly problem?: string;
  /** Why the registry could not be asked. */
  readonly outage?: GatewayError;
}

/** At most so many registries' answers are waited for at once. */
const CONCURRENCY = 4;
/** Sightings kept of one reference: years of daily rebuilds. */
const MAX_SIGHTINGS = 2000;
/** A base of which nothing is known is asked for again by a judgement, but not more often than this (milliseconds). */
const RETRY_OUTAGE = 5_000;
const RETRY_PROBLEM = 30_000;

/**
 * Every digest that the approved bases' references have named on this site's platform, with first and last sight. A base
 * whose registry does not answer keeps what it had.
 */
export class BaseCatalogue {
  readonly #parts: BaseCatalogueParts;
  readonly #slots = new Slots(CONCURRENCY);
  readonly #closing = new AbortController();
  readonly #index = new BaseIndex();
  /** Reference -> what it named -> the sighting. */
  readonly #sightings = new Map<string, Map<string, BaseSighting>>();
  readonly #states = new Map<string, BaseState>();
  readonly #asking = new Map<string, Promise<void>>();
  /** Sets of bases that are all known, and for which platform: what is known is not forgotten, so nobody need look again. */
  readonly #learnt = new WeakMap<ReadonlyMap<string, ApprovedBase>, string>();
  #approved: readonly ApprovedBase[] = [];
  #revision = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(parts: BaseCatalogueParts) {
    this.#parts = parts;
  }

  /** Goes up whenever another image may count as built on a base: judgements made before are made again. */
  get revision(): number {
    return this.#revision;
  }

  /** Takes up what earlier runs have seen. Throws when the store cannot be read. */
  async load(): Promise<void> {
    for (const sighting of await this.#parts.store.load()) this.#put(sighting);
  }

  /** From now on these bases are kept current. Sightings of others stay, in case they are approved again. */
  approve(bases: readonly ApprovedBase[]): void {
    this.#approved = bases;
  }

  /** Asks for every approved base once: one conditional request for each tag that has not moved. Never rejects. */
  async refresh(): Promise<void> {
    await Promise.all(this.#approved.map((base) => this.#ask(base)));
    await this.#save();
  }

  /** Refreshes now and then every `interval` milliseconds, until `signal` aborts. */
  async run(interval: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await orAborted(this.refresh(), signal).catch(() => undefined);
      await this.#parts.clock.sleep(interval, signal);
    }
  }

  /**
   * Asks for those of `bases` of which nothing is known yet. Returns the outage where one of them still is unknown because
   * of it: then an image that matches no other base cannot be judged. Rejects with the signal's reason when it aborts.
   */
  async learn(bases: ReadonlyMap<string, ApprovedBase>, platform: Platform, signal: AbortSignal): Promise<GatewayError | undefined> {
    const here = platformText(platform);
    if (this.#learnt.get(bases) === here) return undefined;
    const unknown = [...bases.values()].filter((base) => !this.#knows(base, platform));
    const due = unknown.filter((base) => this.#mayAskAgain(base));
    if (due.length > 0) {
      await orAborted(Promise.all(due.map((base) => this.#ask(base))), signal);
      await this.#save();
    }
    const left = unknown.filter((base) => !this.#knows(base, platform));
    if (left.length === 0) this.#learnt.set(bases, here);
    return left.map((base) => this.state(base)?.outage).find((outage) => outage !== undefined);
  }

  /** Sightings of any base, approved at present or not, that an image with these layers is built on; the longest first. */
  beneath(diffIds: readonly Digest[], platform: Platform): readonly BaseSighting[] {
    return this.#index.beneath(diffIds, platform);
  }

  /** What is known of one base, newest first. */
  sightingsOf(base: ApprovedBase): readonly BaseSighting[] {
    return [...(this.#sightings.get(base.key)?.values() ?? [])].sort((a, b) => b.lastSeen - a.lastSeen);
  }

  /** How the last question about a base went; undefined = not asked yet. */
  state(base: ApprovedBase): BaseState | undefined {
    return this.#states.get(base.key);
  }

  /** Ends what is under way and waits until everything is saved. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#asking.values());
    await this.#saving;
  }

  #knows(base: ApprovedBase, platform: Platform): boolean {
    return this.sightingsOf(base).some((sighting) => samePlatform(sighting.platform, platform));
  }

  #mayAskAgain(base: ApprovedBase): boolean {
    const state = this.state(base);
    if (state === undefined) return true;
    return this.#parts.clock.now() - state.askedAt >= (state.outage === undefined ? RETRY_PROBLEM : RETRY_OUTAGE);
  }

  /** One question at a time about one base; whoever asks meanwhile waits for the same answer. */
  #ask(base: ApprovedBase): Promise<void> {
    const { key: reference } = base;
    const under = this.#asking.get(reference);
    if (under !== undefined) return under;
    const asking = this.#slots.run(() => this.#look(base, reference)).finally(() => this.#asking.delete(reference));
    this.#asking.set(reference, asking);
    return asking;
  }

  async #look(base: ApprovedBase, reference: string): Promise<void> {
    const { clock, logger } = this.#parts;
    try {
      const problem = await this.#see(base, reference, this.#closing.signal);
      this.#states.set(reference, { askedAt: clock.now(), ...(problem === undefined ? {} : { problem }) });
      if (problem !== undefined) logger.warn({ base: base.name, reference, problem }, 'an approved base cannot be used');
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const outage = error instanceof GatewayError ? error : new GatewayError('Unavailable', `the approved base ${base.name} cannot be read`, { cause: error });
      this.#states.set(reference, { askedAt: clock.now(), outage });
      logger.warn({ base: base.name, reference, error: String(error) }, 'an approved base could not be asked for; what was seen before still counts');
    }
  }

  async #see(base: ApprovedBase, reference: string, signal: AbortSignal): Promise<string | undefined> {
    const { registry, clock, logger } = this.#parts;
    const platform = await this.#parts.platform(signal);
    try {
      const digest = base.reference.digest ?? (await registry.currentDigest(base.reference, signal));
      const known = this.#sightings.get(reference)?.get(place(digest, platform));
      if (known !== undefined) {
        this.#put({ ...known, lastSeen: Math.max(known.lastSeen, clock.now()) });
        return undefined;
      }
      const image = await registry.resolve({ domain: base.reference.domain, path: base.reference.path, digest }, platform, signal);
      const problem = baseProblem(image.diffIds);
      if (problem !== undefined) return problem;
      const sighting = sightingOf(base.reference, image, clock.now());
      // The site's platform, by which bases and images are resolved alike, whatever the image calls it.
      this.#put({ ...sighting, platform, tagDigest: digest });
      logger.info({ base: base.name, reference, digest, layers: image.diffIds.length }, 'an approved base was seen');
      return undefined;
    } catch (error) {
      if (error instanceof ImageUnacceptable) return error.message;
      throw error;
    }
  }

  #put(sighting: BaseSighting): void {
    const ofReference = this.#sightings.get(sighting.reference) ?? new Map<string, BaseSighting>();
    this.#sightings.set(sighting.reference, ofReference);
    const at = place(sighting.tagDigest, sighting.platform);
    if (!ofReference.has(at)) this.#revision += 1;
    ofReference.set(at, sighting);
    this.#index.put(sighting);
    if (ofReference.size <= MAX_SIGHTINGS) return;
    const [key, oldest] = [...ofReference].reduce((a, b) => (b[1].lastSeen < a[1].lastSeen ? b : a));
    ofReference.delete(key);
    this.#index.delete(oldest);
  }

  #save(): Promise<void> {
    const { store, logger } = this.#parts;
    this.#saving = this.#saving.then(async () => {
      try {
        await store.save([...this.#sightings.values()].flatMap((ofReference) => [...ofReference.values()]));
      } catch (error) {
        logger.error({ error: String(error) }, 'what was seen of approved bases could not be saved');
      }
    });
    return this.#saving;
  }
}

function place(digest: Digest, platform: Platform): string {
  return `${digest} ${platformText(platform)}`;
}

function platformText({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}/${variant}`;
}
