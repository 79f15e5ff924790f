import { GatewayError } from '../../src/errors.ts';
import { digestOf, type Digest } from '../../src/image/digest.ts';
import type { Image, ImageConfig } from '../../src/image/image.ts';
import type { Platform } from '../../src/image/platform.ts';
import { formatReference, parseReference, type Reference } from '../../src/image/reference.ts';
import type { RegistryLogins } from '../../src/image/registry-logins.ts';
import { LoginRegistry } from '../../src/registry/login-registry.ts';
import { ImageUnacceptable, type Registry, type SignatureDocument } from '../../src/registry/registry.ts';

export const LINUX_AMD64: Platform = { os: 'linux', architecture: 'amd64', variant: '' };

export interface ImageSpec {
  /** Contents of the layers, base first; equal words are equal layers. */
  readonly layers?: readonly string[];
  readonly config?: Partial<ImageConfig>;
  readonly platform?: Platform;
  readonly size?: number;
  readonly created?: number;
  /** Reached through an index. */
  readonly indexed?: boolean;
}

/** An image of these layers, with digests that follow from its content. */
export function imageOf(reference: string, spec: ImageSpec = {}): Image {
  const config: ImageConfig = {
    user: '',
    env: [],
    entrypoint: [],
    command: ['sh'],
    workingDirectory: '',
    volumes: [],
    exposedPorts: [],
    labels: {},
    stopSignal: '',
    healthcheck: [],
    ...spec.config,
  };
  const { layers = ['base', 'top'], platform = LINUX_AMD64, size = 1000, created } = spec;
  const content = JSON.stringify([layers, config, platform, size, created]);
  return {
    reference: parseReference(reference),
    ...(spec.indexed ? { indexDigest: digestOf(`index ${content}`) } : {}),
    manifestDigest: digestOf(`manifest ${content}`),
    configDigest: digestOf(`config ${content}`),
    platform,
    diffIds: layers.map((layer) => digestOf(layer)),
    config,
    size,
    ...(created === undefined ? {} : { created }),
  };
}

/** A registry of every domain, in memory, that counts what it is asked and fails when a test says so. */
export class MemoryRegistry implements Registry {
  /** Every question, as `resolve REFERENCE`, `currentDigest REFERENCE`, `signatures REFERENCE DIGEST`. */
  readonly asked: string[] = [];
  /** Thrown by every question about a reference that it returns an error for. */
  failure: (reference: Reference) => Error | undefined = () => undefined;
  /** Awaited before each answer. */
  gate: Promise<void> = Promise.resolve();
  readonly #images = new Map<string, Image>();
  readonly #tags = new Map<string, Digest>();
  readonly #signatures = new Map<string, SignatureDocument[]>();

  /** Makes `reference` (with its tag) name this image from now on; what it named before stays reachable by digest. */
  put(reference: string, spec: ImageSpec = {}): Image {
    const image = imageOf(reference, spec);
    const { domain, path, tag } = image.reference;
    for (const digest of [image.indexDigest, image.manifestDigest]) if (digest !== undefined) this.#images.set(`${domain}/${path}@${digest}`, image);
    if (tag !== undefined) this.#tags.set(`${domain}/${path}:${tag}`, image.indexDigest ?? image.manifestDigest);
    return image;
  }

  /** Adds a claimed signature of `digest` in the image's repository. */
  sign({ reference }: Image, digest: Digest, document: SignatureDocument): void {
    const key = `${reference.domain}/${reference.path}@${digest}`;
    this.#signatures.set(key, [...(this.#signatures.get(key) ?? []), document]);
  }

  /** From now on nothing of this domain answers. */
  takeDown(domain: string): void {
    this.failure = (reference) =>
      reference.domain === domain ? new GatewayError('RegistryUnavailable', `the registry ${domain} does not answer`) : undefined;
  }

  bringUp(): void {
    this.failure = () => undefined;
  }

  async resolve(reference: Reference, platform: Platform, signal: AbortSignal): Promise<Image> {
    const digest = await this.#digest('resolve', reference, signal);
    const image = this.#images.get(`${reference.domain}/${reference.path}@${digest}`);
    if (image === undefined) throw new ImageUnacceptable('image.not-found', `there is no image ${formatReference(reference)}`);
    if (image.platform.os !== platform.os || image.platform.architecture !== platform.architecture) {
      throw new ImageUnacceptable('image.platform', `the image is not for ${platform.os}/${platform.architecture}`);
    }
    const { indexDigest, ...rest } = image;
    return { ...rest, reference, ...(indexDigest === undefined || digest !== indexDigest ? {} : { indexDigest }) };
  }

  currentDigest(reference: Reference, signal: AbortSignal): Promise<Digest> {
    const { domain, path, tag } = reference;
    return this.#digest('currentDigest', { domain, path, ...(tag === undefined ? {} : { tag }) }, signal);
  }

  async signatures(reference: Reference, digest: Digest, signal: AbortSignal): Promise<readonly SignatureDocument[]> {
    await this.#ask(`signatures ${reference.domain}/${reference.path} ${digest}`, reference, signal);
    return this.#signatures.get(`${reference.domain}/${reference.path}@${digest}`) ?? [];
  }

  /** Every question that came with a login, as `USERNAME METHOD`. */
  readonly askedAs: string[] = [];

  as(logins: RegistryLogins): Registry {
    return new LoginRegistry(this, logins, (_domain, { username }) => {
      const noted = (method: string): this => (this.askedAs.push(`${username} ${method}`), this);
      return {
        resolve: (...asked) => noted('resolve').resolve(...asked),
        currentDigest: (...asked) => noted('currentDigest').currentDigest(...asked),
        signatures: (...asked) => noted('signatures').signatures(...asked),
        as: (others) => this.as(others),
      };
    });
  }

  async #digest(method: string, reference: Reference, signal: AbortSignal): Promise<Digest> {
    await this.#ask(`${method} ${formatReference(reference)}`, reference, signal);
    const digest = reference.digest ?? this.#tags.get(`${reference.domain}/${reference.path}:${reference.tag ?? ''}`);
    if (digest === undefined) throw new ImageUnacceptable('image.not-found', `there is no image ${formatReference(reference)}`);
    return digest;
  }

  async #ask(question: string, reference: Reference, signal: AbortSignal): Promise<void> {
    this.asked.push(question);
    await this.gate;
    signal.throwIfAborted();
    const failure = this.failure(reference);
    if (failure !== undefined) throw failure;
  }
}
