import { setMaxListeners } from 'node:events';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { GatewayError } from '../errors.ts';
import { choosePlatform, MAX_INDEX_DEPTH } from '../image/choose-platform.ts';
import type { Digest } from '../image/digest.ts';
import { checkAgreement, parseImageConfig } from '../image/image-config.ts';
import { ImageUnacceptable } from '../image/image-unacceptable.ts';
import type { Image } from '../image/image.ts';
import { checkImageManifest, MAX_CONFIG, parseManifest, type Descriptor, type Manifest } from '../image/manifest.ts';
import { normalisePlatform, type Platform } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { CachingRegistry } from './caching-registry.ts';
import { notAllowed } from './http-registry.ts';
import { LoginRegistry, type OpenRegistry } from './login-registry.ts';
import type { Registry, SignatureDocument } from './registry.ts';
import { readSignatures } from './signature-documents.ts';

/** What a reference led to: the platform's manifest, and what it was reached through. */
interface Found {
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly indexDigest?: Digest;
  /** The index entry that named the manifest. */
  readonly entry?: Descriptor;
}

/** Images whose documents have been read and checked, kept by digest: they cannot change. */
const KEPT_IMAGES = 1000;

export interface DocumentRegistryOptions {
  /** Names of the registries that may be asked. */
  readonly allowed: ReadonlySet<string>;
  /** Milliseconds for one question. */
  readonly deadline: number;
  /** For callers with logins of their own. */
  readonly open: OpenRegistry;
}

/** Puts documents together to images: reference -> index -> manifest -> configuration, each checked against the one before. */
export class DocumentRegistry implements Registry {
  readonly #documents: CachingRegistry;
  readonly #allowed: ReadonlySet<string>;
  readonly #deadline: number;
  readonly #open: OpenRegistry;
  readonly #clock: Clock;
  readonly #images = new LRUCache<string, Omit<Image, 'reference'>>({ max: KEPT_IMAGES });

  constructor(documents: CachingRegistry, { allowed, deadline, open }: DocumentRegistryOptions, clock: Clock) {
    this.#documents = documents;
    this.#allowed = allowed;
    this.#deadline = deadline;
    this.#open = open;
    this.#clock = clock;
  }

  async resolve(reference: Reference, platform: Platform, signal: AbortSignal): Promise<Image> {
    signal.throwIfAborted();
    const known = this.#known(reference, platform);
    if (known !== undefined) return { reference, ...known };
    return this.#ask(reference, signal, async (bounded) => {
      const digest = reference.digest ?? (await this.#documents.digestOfTag(reference, reference.tag ?? 'latest', false, bounded));
      const image = this.#images.get(imageKey(reference, digest, platform)) ?? (await this.#read(reference, digest, platform, bounded));
      this.#images.set(imageKey(reference, digest, platform), image);
      return { reference, ...image };
    });
  }

  /** The image, where no packet and no parsing is needed to tell. */
  #known(reference: Reference, platform: Platform): Omit<Image, 'reference'> | undefined {
    if (!this.#allowed.has(reference.domain)) throw notAllowed(reference.domain);
    const digest = reference.digest ?? this.#documents.knownTag(reference, reference.tag ?? 'latest');
    return digest === undefined ? undefined : this.#images.get(imageKey(reference, digest, platform));
  }

  async #read(reference: Reference, digest: Digest, platform: Platform, signal: AbortSignal): Promise<Omit<Image, 'reference'>> {
    const found = await this.#find(reference, digest, platform, signal);
    const size = checkImageManifest(found.manifest);
    const { config, layers } = found.manifest;
    // Not capped at the size that was said: that it disagrees is the image's fault, not the registry's.
    const bytes = await this.#documents.blob(reference, config.digest, MAX_CONFIG, signal);
    checkSize('configuration', bytes, config.size);
    const document = parseImageConfig(bytes);
    checkAgreement(document, layers.length, found.entry, platform);
    return {
      ...(found.indexDigest === undefined ? {} : { indexDigest: found.indexDigest }),
      manifestDigest: found.digest,
      configDigest: config.digest,
      platform: normalisePlatform(platform),
      diffIds: document.diffIds,
      config: document.config,
      size,
      ...(document.created === undefined ? {} : { created: document.created }),
    };
  }

  async currentDigest(reference: Reference, signal: AbortSignal): Promise<Digest> {
    const { tag, digest } = reference;
    if (tag !== undefined) return this.#ask(reference, signal, (bounded) => this.#documents.digestOfTag(reference, tag, true, bounded));
    if (digest !== undefined) return digest;
    throw new GatewayError('BadReference', 'the reference has neither tag nor digest');
  }

  async signatures(reference: Reference, digest: Digest, signal: AbortSignal): Promise<readonly SignatureDocument[]> {
    return this.#ask(reference, signal, (bounded) => readSignatures(this.#documents, reference, digest, bounded));
  }

  as(logins: RegistryLogins): Registry {
    return new LoginRegistry(this, logins, this.#open);
  }

  async #find(reference: Reference, asked: Digest, platform: Platform, signal: AbortSignal): Promise<Found> {
    let digest = asked;
    let indexDigest: Digest | undefined;
    let entry: Descriptor | undefined;
    for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth += 1) {
      const { mediaType, bytes } = await this.#documents.manifest(reference, digest, signal);
      if (entry !== undefined) checkEntry(entry, mediaType, bytes);
      const document = parseManifest(bytes, mediaType);
      if (document.kind === 'manifest') return { digest, manifest: document, ...(indexDigest === undefined ? {} : { indexDigest }), ...(entry === undefined ? {} : { entry }) };
      indexDigest ??= digest;
      entry = choosePlatform(document, platform);
      digest = entry.digest;
    }
    throw new ImageUnacceptable('image.nested-index', 'the indexes are nested too deeply');
  }

  /** Refuses hosts that are not configured before any packet; ends everything else at the deadline. */
  async #ask<T>(reference: Reference, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (!this.#allowed.has(reference.domain)) throw notAllowed(reference.domain);
    signal.throwIfAborted();
    const bounded = new AbortController();
    const over = new AbortController();
    const abort = (): void => bounded.abort(signal.reason);
    // Any number of questions may hang on one signal: a refresh of all bases, say.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', abort, { once: true });
    void this.#clock.sleep(this.#deadline, over.signal).then(() => {
      if (over.signal.aborted) return;
      bounded.abort(new GatewayError('RegistryUnavailable', `the registry ${reference.domain} did not answer within ${this.#deadline / 1000} s`));
    });
    try {
      return await work(bounded.signal);
    } finally {
      over.abort();
      signal.removeEventListener('abort', abort);
    }
  }
}

/** Which image: also by repository, so that what was read in one is never shown to who asks for another. */
function imageKey({ domain, path }: Reference, digest: Digest, { os, architecture, variant }: Platform): string {
  return `${domain}/${path}@${digest} ${os}/${architecture}/${variant}`;
}

/** The document that an index entry named has to be what the entry says. */
function checkEntry(entry: Descriptor, mediaType: string, bytes: Uint8Array): void {
  if (mediaType !== entry.mediaType) throw new ImageUnacceptable('image.media-type', 'the index names the manifest as of another type than it is');
  checkSize('manifest', bytes, entry.size);
}

function checkSize(what: string, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size) throw new ImageUnacceptable('image.size', `the ${what} has ${bytes.length} bytes, and was said to have ${size}`);
}
