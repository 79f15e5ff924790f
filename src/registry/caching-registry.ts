import { LRUCache } from 'lru-cache';
import type { Clock, Instant } from '../clock.ts';
import { digestOf, type Digest } from '../image/digest.ts';
import { ImageUnacceptable } from '../image/image-unacceptable.ts';
import type { Logger } from '../logger.ts';
import type { ContentDirectory, StoredContent } from './content-directory.ts';
import type { Content, RegistrySource, Repository } from './registry-source.ts';
import { SingleFlight } from './single-flight.ts';

export interface CachingOptions {
  /** How long a tag is believed to name what it named (seconds). */
  readonly tagSeconds: number;
  /** How long a "no" is believed (seconds). */
  readonly negativeSeconds: number;
  /** Documents kept in memory (bytes). */
  readonly cacheBytes: number;
  readonly directory?: ContentDirectory;
  /**
   * Whose eyes a repository is read with. Part of every key: what one account may read is not served to another, nor after
   * the account has changed.
   */
  readonly partition: (domain: string) => string;
}

const MAX_TAGS = 20_000;
const MAX_NEGATIVES = 2_000;
/** Lists of referrers kept, together (bytes). */
const MAX_REFERRERS = 16 * 2 ** 20;
/** What a small document costs beside its bytes. */
const OVERHEAD = 512;

/**
 * Remembers what a source said. Content is kept by repository and digest, never by digest alone: that a document exists
 * does not mean that this repository has it, and rules go by the repository's name. It is verified again whenever it is
 * used. Tags are believed for a short while, then asked for again by a conditional request. Of several equal questions at
 * one time, one is asked.
 */
export class CachingRegistry {
  readonly #source: RegistrySource;
  readonly #options: CachingOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #contents: LRUCache<string, StoredContent> | undefined;
  readonly #tags = new LRUCache<string, { readonly digest: Digest; readonly checkedAt: Instant }>({ max: MAX_TAGS });
  readonly #negatives = new LRUCache<string, { readonly error: ImageUnacceptable; readonly until: Instant }>({ max: MAX_NEGATIVES });
  readonly #referrers: LRUCache<string, { readonly pages: readonly Uint8Array[] | undefined; readonly checkedAt: Instant }>;
  readonly #tagFlights = new SingleFlight<Digest>();
  readonly #contentFlights = new SingleFlight<StoredContent>();
  readonly #referrerFlights = new SingleFlight<readonly Uint8Array[] | undefined>();

  constructor(source: RegistrySource, options: CachingOptions, clock: Clock, logger: Logger) {
    this.#source = source;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#referrers = new LRUCache({ max: MAX_TAGS, maxSize: MAX_REFERRERS, sizeCalculation: ({ pages }) => OVERHEAD + (pages ?? []).reduce((sum, page) => sum + page.length, 0) });
    if (options.cacheBytes > 0) this.#contents = new LRUCache({ maxSize: options.cacheBytes, sizeCalculation: ({ bytes }) => bytes.length + OVERHEAD });
  }

  /** What a tag was found to name at most `tagSeconds` ago, without asking anybody; undefined = ask. */
  knownTag(repository: Repository, tag: string): Digest | undefined {
    const kept = this.#tags.get(this.#key(repository, `:${tag}`));
    return kept !== undefined && this.#clock.now() - kept.checkedAt < this.#options.tagSeconds * 1000 ? kept.digest : undefined;
  }

  /** What a tag names: at present (`fresh`: always one request), or as of at most `tagSeconds` ago. Throws as the source. */
  async digestOfTag(repository: Repository, tag: string, fresh: boolean, signal: AbortSignal): Promise<Digest> {
    const key = this.#key(repository, `:${tag}`);
    const kept = this.#tags.get(key);
    if (!fresh && kept !== undefined && this.#clock.now() - kept.checkedAt < this.#options.tagSeconds * 1000) return kept.digest;
    return this.#tagFlights.run(`${key} ${fresh}`, signal, (shared) =>
      this.#unlessKnownMissing(key, async () => {
        const asked = this.#clock.now();
        const { digest, content } = await this.#source.tag(repository, tag, kept?.digest, fresh, shared);
        if (content !== undefined) await this.#keep(this.#key(repository, `manifest ${content.digest}`), content);
        this.#tags.set(key, { digest, checkedAt: asked });
        return digest;
      }),
    );
  }

  /** A manifest or index. Throws as the source. */
  async manifest(repository: Repository, digest: Digest, signal: AbortSignal): Promise<Content> {
    const { mediaType, bytes } = await this.#content(repository, 'manifest', digest, signal, (shared) => this.#source.manifest(repository, digest, shared));
    return { digest, mediaType, bytes };
  }

  /** A blob of at most `maxBytes`. Throws as the source. */
  async blob(repository: Repository, digest: Digest, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const { bytes } = await this.#content(repository, 'blob', digest, signal, async (shared) => ({
      mediaType: 'application/octet-stream',
      bytes: await this.#source.blob(repository, digest, maxBytes, shared),
    }));
    return bytes;
  }

  /** The pages of the referrers API, as of at most `tagSeconds` ago, for they change as tags do. Throws as the source. */
  async referrers(repository: Repository, digest: Digest, signal: AbortSignal): Promise<readonly Uint8Array[] | undefined> {
    const key = this.#key(repository, `referrers ${digest}`);
    const kept = this.#referrers.get(key);
    if (kept !== undefined && this.#clock.now() - kept.checkedAt < this.#options.tagSeconds * 1000) return kept.pages;
    return this.#referrerFlights.run(key, signal, async (shared) => {
      const asked = this.#clock.now();
      const pages = await this.#source.referrers(repository, digest, shared);
      this.#referrers.set(key, { pages, checkedAt: asked });
      return pages;
    });
  }

  async #content(repository: Repository, kind: 'manifest' | 'blob', digest: Digest, signal: AbortSignal, fetch: (signal: AbortSignal) => Promise<StoredContent>): Promise<StoredContent> {
    const key = this.#key(repository, `${kind} ${digest}`);
    const kept = this.#contents?.get(key);
    if (kept !== undefined && digestOf(kept.bytes) === digest) return kept;
    return this.#contentFlights.run(key, signal, async (shared) => {
      const stored = await this.#fromDirectory(key, digest);
      if (stored !== undefined) return stored;
      const content = await this.#unlessKnownMissing(key, () => fetch(shared));
      await this.#keep(key, content);
      return content;
    });
  }

  async #fromDirectory(key: string, digest: Digest): Promise<StoredContent | undefined> {
    const stored = await this.#options.directory?.get(key);
    if (stored === undefined) return undefined;
    if (digestOf(stored.bytes) !== digest) {
      this.#logger.warn({ digest }, 'a cached document was changed; it is fetched again');
      await this.#options.directory?.delete(key);
      return undefined;
    }
    this.#contents?.set(key, stored);
    return stored;
  }

  async #keep(key: string, content: StoredContent): Promise<void> {
    const { mediaType, bytes } = content;
    this.#contents?.set(key, { mediaType, bytes });
    await this.#options.directory?.put(key, { mediaType, bytes });
  }

  /** A "no" is remembered for a few seconds; an outage never. */
  async #unlessKnownMissing<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const negative = this.#negatives.get(key);
    if (negative !== undefined && this.#clock.now() < negative.until) throw negative.error;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ImageUnacceptable) {
        this.#tags.delete(key);
        this.#negatives.set(key, { error, until: this.#clock.now() + this.#options.negativeSeconds * 1000 });
      }
      throw error;
    }
  }

  #key(repository: Repository, of: string): string {
    return JSON.stringify([this.#options.partition(repository.domain), repository.domain, repository.path, of]);
  }
}
