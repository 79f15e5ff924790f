import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Digest } from '../image/digest.ts';
import { type Image, pinnedName } from '../image/image.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { DockerCalls } from './docker-call.ts';
import { parseImage, type InspectedImage } from './docker-inspect.ts';
import { pull, type PullCredentials } from './docker-pull.ts';
import { imageDifferences } from './docker-verify-image.ts';
import { EngineRefused } from './engine.ts';
import type { PullProgress } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;
const LISTED = z.array(z.object({ RepoDigests: z.array(z.string()).nullish(), Size: z.number() }));
/** Images whose verified view is remembered; one is a few kB. */
const REMEMBERED = 500;

/** The judged images on the engine. Ids are digests, so what was seen of one once holds for as long as it is there. */
export class DockerImages {
  readonly #calls: DockerCalls;
  readonly #credentials: PullCredentials;
  readonly #seen = new LRUCache<Digest, InspectedImage>({ max: REMEMBERED });

  constructor(calls: DockerCalls, credentials: PullCredentials) {
    this.#calls = calls;
    this.#credentials = credentials;
  }

  /** Present, and verified. Throws EngineRefused, EngineUnavailable, DockerStatusError. */
  async has(image: Image, signal: AbortSignal): Promise<boolean> {
    const seen = await this.#inspect(image, signal);
    if (!seen) return false;
    this.#verify(image, seen);
    return true;
  }

  /** Present, pulled where it was not (as the site, unless there is a `login`), and verified. Throws EngineRefused, EngineUnavailable, DockerStatusError. */
  async ensure(image: Image, onProgress: (progress: PullProgress) => void, signal: AbortSignal, login?: RegistryLogin): Promise<void> {
    let seen = await this.#inspect(image, signal);
    if (!seen) {
      await pull(this.#calls, image, login ?? this.#credentials(image.reference.domain), onProgress, signal);
      seen = await this.#inspect(image, signal);
    }
    if (!seen) throw new EngineRefused('the engine does not have the image after pulling it', { temporary: true });
    this.#verify(image, seen);
  }

  /** The engine's id of the verified image; compared with this judgement even if it was compared with another one before. */
  async verifiedId(image: Image, signal: AbortSignal): Promise<string> {
    const seen = this.#seen.get(image.manifestDigest) ?? (await this.#inspect(image, signal));
    if (!seen) throw new EngineRefused('the image is not present', { temporary: true });
    this.#verify(image, seen);
    return seen.Id;
  }

  /** Bytes of every image that was pulled by digest, by its name with that. Throws EngineUnavailable, DockerStatusError. */
  async sizes(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { body } = await this.#calls.ask('GET', '/images/json', { query: { digests: true }, signal });
    return new Map(LISTED.parse(body).flatMap(({ RepoDigests, Size }) => (RepoDigests ?? []).map((name) => [name, Size] as const)));
  }

  /** False where a container uses it, running or not. Throws EngineUnavailable, DockerStatusError. */
  async remove(name: string, signal: AbortSignal): Promise<boolean> {
    const { status } = await this.#calls.ask('DELETE', `/images/${name}`, { accept: [NOT_FOUND, CONFLICT], signal });
    if (status === CONFLICT) return false;
    this.#seen.delete(name.slice(name.indexOf('@') + 1) as Digest);
    return true;
  }

  /** The engine no longer has it. */
  forget(image: Image): void {
    this.#seen.delete(image.manifestDigest);
  }

  #verify(image: Image, seen: InspectedImage): void {
    const differences = imageDifferences(image, seen);
    if (differences.length > 0) throw new EngineRefused(`the engine sees another image than the one that was judged: ${differences.join(', ')}`);
    this.#seen.set(image.manifestDigest, seen);
  }

  async #inspect(image: Image, signal: AbortSignal): Promise<InspectedImage | undefined> {
    const { body } = await this.#calls.ask('GET', `/images/${pinnedName(image)}/json`, { accept: [NOT_FOUND], signal });
    return body === undefined ? undefined : parseImage(body);
  }
}
