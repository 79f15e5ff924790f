import { GatewayError } from '../errors.ts';
import { digestOf, isDigest, type Digest } from '../image/digest.ts';
import { ImageUnacceptable } from '../image/image-unacceptable.ts';
import { MAX_MANIFEST } from '../image/manifest.ts';
import { ACCEPT, INDEX_TYPES, mediaTypeOf, SCHEMA1_TYPES } from '../image/media-types.ts';
import { quoted } from '../image/quoted.ts';
import type { Logger } from '../logger.ts';
import type { UntrustedResponse } from '../untrusted-fetch.ts';
import type { RegistryEndpoint } from './registry-endpoint.ts';
import type { Content, RegistrySource, Repository, TagAnswer } from './registry-source.ts';

/** How one registry is reached. */
export interface RegistryRoute {
  readonly registry: RegistryEndpoint;
  /** Asked for content by digest before the registry is. */
  readonly mirror?: RegistryEndpoint;
}

/** More pages of referrers than anybody needs. */
const MAX_PAGES = 3;

/** The distribution-spec's pull side over HTTP: manifests, configurations, referrers; every byte verified, nothing kept. */
export class HttpRegistry implements RegistrySource {
  readonly #routes: ReadonlyMap<string, RegistryRoute>;
  readonly #logger: Logger;

  /** `routes` by the registry's name in references: the only registries that are ever asked. */
  constructor(routes: ReadonlyMap<string, RegistryRoute>, logger: Logger) {
    this.#routes = routes;
    this.#logger = logger;
  }

  async tag(repository: Repository, tag: string, known: Digest | undefined, digestOnly: boolean, signal: AbortSignal): Promise<TagAnswer> {
    const { registry, mirror } = this.#route(repository);
    // HEAD where no body is needed: it is not counted by rate limits, and the mirror has the body.
    const method = digestOnly || known !== undefined || mirror !== undefined ? 'HEAD' : 'GET';
    const path = manifestPath(repository, tag);
    const headers = known === undefined ? {} : { 'if-none-match': `"${known}"` };
    const response = await this.#get(registry, method, repository, path, headers, signal);
    if (response.status === 304 && known !== undefined) return { digest: known };
    checkFound(response, repository, `tag ${quoted(tag)}`);
    const named = response.headers['docker-content-digest'];
    if (method === 'HEAD' && isDigest(named)) return { digest: named };
    const content = contentOf(method === 'GET' ? response : await this.#get(registry, 'GET', repository, path, {}, signal), repository, undefined);
    return { digest: content.digest, content };
  }

  async manifest(repository: Repository, digest: Digest, signal: AbortSignal): Promise<Content> {
    return this.#byDigest(repository, signal, async (endpoint, query) => {
      const response = await this.#get(endpoint, 'GET', repository, manifestPath(repository, digest) + query, {}, signal);
      return contentOf(checkFound(response, repository, digest), repository, digest);
    });
  }

  async blob(repository: Repository, digest: Digest, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#byDigest(repository, signal, async (endpoint, query) => {
      const path = `/v2/${repository.path}/blobs/${digest}${query}`;
      const response = await endpoint.request({ method: 'GET', repository: repository.path, path, maxBytes }, signal);
      return verified(checkFound(response, repository, digest).bytes, digest, repository);
    });
  }

  async referrers(repository: Repository, digest: Digest, signal: AbortSignal): Promise<readonly Uint8Array[] | undefined> {
    const { registry } = this.#route(repository);
    const pages: Uint8Array[] = [];
    let path: string | undefined = `/v2/${repository.path}/referrers/${digest}`;
    while (path !== undefined && pages.length < MAX_PAGES) {
      const headers = { accept: [...INDEX_TYPES].join(', ') };
      const response = await registry.request({ method: 'GET', repository: repository.path, path, headers, maxBytes: MAX_MANIFEST }, signal);
      if ([400, 404, 405].includes(response.status) || !INDEX_TYPES.has(mediaTypeOf(response.headers['content-type']))) return pages.length === 0 ? undefined : pages;
      checkFound(response, repository, digest);
      pages.push(response.bytes);
      path = nextPage(response.headers['link'], response.url, registry.origin);
    }
    return pages;
  }

  /** Immutable content: from the mirror, whose answers need no trust; from the registry where that fails. */
  async #byDigest<T>(repository: Repository, signal: AbortSignal, ask: (endpoint: RegistryEndpoint, query: string) => Promise<T>): Promise<T> {
    const { registry, mirror } = this.#route(repository);
    if (mirror !== undefined) {
      try {
        return await ask(mirror, `?ns=${encodeURIComponent(repository.domain)}`);
      } catch (error) {
        signal.throwIfAborted();
        this.#logger.debug({ err: error, registry: repository.domain }, 'the mirror did not have it');
      }
    }
    return ask(registry, '');
  }

  #get(endpoint: RegistryEndpoint, method: 'GET' | 'HEAD', repository: Repository, path: string, headers: Record<string, string>, signal: AbortSignal): Promise<UntrustedResponse> {
    return endpoint.request({ method, repository: repository.path, path, headers: { accept: ACCEPT, ...headers }, maxBytes: MAX_MANIFEST }, signal);
  }

  #route(repository: Repository): RegistryRoute {
    const route = this.#routes.get(repository.domain);
    if (route === undefined) throw notAllowed(repository.domain);
    return route;
  }
}

/** The verdict on an image of a registry that is not configured. */
export function notAllowed(domain: string): ImageUnacceptable {
  return new ImageUnacceptable('registry.not-allowed', `the registry ${quoted(domain)} is not one that this site asks`);
}

function manifestPath(repository: Repository, tagOrDigest: string): string {
  return `/v2/${repository.path}/manifests/${tagOrDigest}`;
}

function checkFound(response: UntrustedResponse, repository: Repository, what: string): UntrustedResponse {
  if (response.status === 404) throw new ImageUnacceptable('image.not-found', `the registry ${repository.domain} has no ${quoted(repository.path)} with ${what}`);
  if (response.status !== 200) throw new GatewayError('RegistryInvalid', `the registry ${repository.domain} answers ${response.status}`);
  return response;
}

/** A manifest or index of the wanted digest, or of the one that the registry says. */
function contentOf(response: UntrustedResponse, repository: Repository, wanted: Digest | undefined): Content {
  checkFound(response, repository, 'this name');
  const mediaType = mediaTypeOf(response.headers['content-type']);
  // Its digest is not that of its bytes, so it has to be told apart before that is looked at.
  if (SCHEMA1_TYPES.has(mediaType)) throw new ImageUnacceptable('image.schema1', 'the image exists only in the retired schema 1');
  // Other documents are known for what they are, and refused by who reads them; a web page is no document.
  if (!mediaType.startsWith('application/vnd.')) {
    throw new GatewayError('RegistryInvalid', `the registry ${repository.domain} answers with ${quoted(mediaType)} instead of a manifest`);
  }
  const said = response.headers['docker-content-digest'];
  const expected = wanted ?? (isDigest(said) ? said : digestOf(response.bytes));
  return { digest: expected, mediaType, bytes: verified(response.bytes, expected, repository) };
}

function verified(bytes: Uint8Array, expected: Digest, repository: Repository): Uint8Array {
  if (digestOf(bytes) === expected) return bytes;
  throw new GatewayError('RegistryInvalid', `the registry ${repository.domain} gave other bytes than those of ${expected}`);
}

/** RFC 8288, as the distribution-spec uses it. A page elsewhere is none. */
function nextPage(link: string | undefined, base: string, origin: string): string | undefined {
  const target = /<([^>]{1,2000})>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, base)) return undefined;
  const url = new URL(target, base);
  return url.origin === origin ? url.pathname + url.search : undefined;
}
