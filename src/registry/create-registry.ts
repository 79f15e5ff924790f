import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { DOCKER_HUB } from '../image/reference.ts';
import type { Logger } from '../logger.ts';
import { UntrustedFetch, type HostSettings } from '../untrusted-fetch.ts';
import { CachingRegistry } from './caching-registry.ts';
import { ContentDirectory } from './content-directory.ts';
import { credentialSource } from './credentials.ts';
import { DocumentRegistry } from './document-registry.ts';
import { HttpRegistry, type RegistryRoute } from './http-registry.ts';
import { registryClientSchema, type ConnectionEntry, type RegistryClientOptions, type RegistryEntry } from './registry-config.ts';
import { RegistryEndpoint } from './registry-endpoint.ts';
import type { Registry } from './registry.ts';

/** The sections of the configuration that this needs. */
export interface RegistriesConfig {
  readonly registries: readonly RegistryEntry[];
  readonly registryClient?: RegistryClientOptions;
}

/** Docker Hub's name in references is not where its API is. */
const API_HOSTS: ReadonlyMap<string, string> = new Map([[DOCKER_HUB, 'registry-1.docker.io']]);

/** Token services that well-known registries have elsewhere. */
const KNOWN_REALMS: ReadonlyMap<string, string> = new Map([
  [DOCKER_HUB, 'auth.docker.io'],
  ['registry.gitlab.com', 'gitlab.com'],
]);

/**
 * The registry client as configured: asks nobody but the hosts in `registries`. Certificates are read once, here; throws an
 * Error that names the file where one cannot be. `close` ends its connections.
 */
export function createRegistry(
  config: RegistriesConfig,
  clock: Clock,
  logger: Logger,
  fetch: UntrustedFetch = new UntrustedFetch(clock),
): Registry & { close(): Promise<void> } {
  const options = config.registryClient ?? registryClientSchema.parse({});
  const routes = new Map(config.registries.map((entry): [string, RegistryRoute] => [entry.host, routeOf(entry, options, fetch, clock)]));
  const accounts = new Map(config.registries.map((entry): [string, string] => [entry.host, accountOf(entry, options)]));
  const directory = options.cacheDirectory === undefined ? {} : { directory: new ContentDirectory(options.cacheDirectory, options.cacheDirectoryBytes, clock, logger) };
  const partition = (domain: string): string => accounts.get(domain) ?? '';
  const { tagSeconds, negativeSeconds, cacheBytes } = options;
  const caching = new CachingRegistry(new HttpRegistry(routes, logger), { tagSeconds, negativeSeconds, cacheBytes, partition, ...directory }, clock, logger);
  const registry = new DocumentRegistry(caching, new Set(routes.keys()), options.deadlineSeconds * 1000, clock);
  return {
    resolve: (reference, platform, signal) => registry.resolve(reference, platform, signal),
    currentDigest: (reference, signal) => registry.currentDigest(reference, signal),
    signatures: (reference, digest, signal) => registry.signatures(reference, digest, signal),
    close: () => fetch.close(),
  };
}

function routeOf(entry: RegistryEntry, options: RegistryClientOptions, fetch: UntrustedFetch, clock: Clock): RegistryRoute {
  const registry = endpointOf(entry.host, entry, options, fetch, clock);
  if (entry.mirror === undefined) return { registry };
  return { registry, mirror: endpointOf(`${entry.host} (its mirror ${entry.mirror.host})`, entry.mirror, options, fetch, clock) };
}

function endpointOf(name: string, entry: ConnectionEntry, options: RegistryClientOptions, fetch: UntrustedFetch, clock: Clock): RegistryEndpoint {
  const host = API_HOSTS.get(entry.host) ?? entry.host;
  const known = KNOWN_REALMS.get(entry.host);
  const own: HostSettings = { insecure: entry.insecure, internal: entry.internal, ...(entry.ca === undefined ? {} : { ca: certificates(entry.ca) }) };
  const hosts = [host, ...entry.realms, ...entry.redirects].flatMap(namesOf);
  return new RegistryEndpoint(
    {
      name,
      host,
      settings: new Map(hosts.map((each): [string, HostSettings] => [each, own])),
      realms: new Set([host, ...entry.realms, ...(known === undefined ? [] : [known])].flatMap(namesOf)),
      credentials: credentialSource(entry, options.dockerConfig),
      deadline: options.deadlineSeconds * 1000,
    },
    fetch,
    clock,
  );
}

/** A host as it stands in URLs, which leave out the port that their scheme implies. */
function namesOf(host: string): string[] {
  return [host, new URL(`https://${host}`).host, new URL(`http://${host}`).host];
}

/** Whose rights the registry is read with; part of the keys of what is kept. */
function accountOf(entry: RegistryEntry, options: RegistryClientOptions): string {
  if (entry.credentials !== undefined) return `user ${entry.credentials.username}`;
  return options.dockerConfig === undefined ? 'anonymous' : `login of ${options.dockerConfig}`;
}

function certificates(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`the certificates in ${file} cannot be read`, { cause: error });
  }
}
