import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { DOCKER_HUB } from '../image/reference.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { Logger } from '../logger.ts';
import { UntrustedFetch, type HostSettings } from '../untrusted-fetch.ts';
import { CachingRegistry, type CachingOptions } from './caching-registry.ts';
import { ContentDirectory } from './content-directory.ts';
import { credentialSource } from './credentials.ts';
import { DocumentRegistry } from './document-registry.ts';
import { HttpRegistry, notAllowed, type RegistryRoute } from './http-registry.ts';
import type { OpenRegistry } from './login-registry.ts';
import { registryClientSchema, type ConnectionEntry, type RegistryClientOptions, type RegistryEntry } from './registry-config.ts';
import { type EndpointOptions, RegistryEndpoint } from './registry-endpoint.ts';
import { ImageUnacceptable, type Registry } from './registry.ts';

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
  const site = new Map(config.registries.map((entry): [string, SiteRegistry] => [entry.host, siteRegistry(entry, options, fetch, clock)]));
  const routes = new Map([...site].map(([host, { route }]) => [host, route]));
  const directory = options.cacheDirectory === undefined ? {} : { directory: new ContentDirectory(options.cacheDirectory, options.cacheDirectoryBytes, clock, logger) };
  const partition = (domain: string): string => site.get(domain)?.account ?? '';
  const { tagSeconds, negativeSeconds, cacheBytes } = options;
  const reader = (reads: ReadonlyMap<string, RegistryRoute>, caching: CachingOptions, opens: OpenRegistry): Registry =>
    new DocumentRegistry(new CachingRegistry(new HttpRegistry(reads, logger), caching, clock, logger), { allowed: new Set(reads.keys()), deadline: options.deadlineSeconds * 1000, open: opens }, clock);
  const open: OpenRegistry = (domain, login) => {
    const registry = site.get(domain);
    if (registry === undefined) throw notAllowed(domain);
    return reader(new Map([[domain, { registry: registry.openAs(login) }]]), NOTHING_KEPT, open);
  };
  const registry = reader(routes, { tagSeconds, negativeSeconds, cacheBytes, partition, ...directory }, open);
  return {
    resolve: (reference, platform, signal) => registry.resolve(reference, platform, signal),
    currentDigest: (reference, signal) => registry.currentDigest(reference, signal),
    signatures: (reference, digest, signal) => registry.signatures(reference, digest, signal),
    as: (logins) => registry.as(logins),
    close: () => fetch.close(),
  };
}

/** What a caller's login has shown is for that caller's question alone. */
const NOTHING_KEPT: CachingOptions = { tagSeconds: 0, negativeSeconds: 0, cacheBytes: 0, partition: () => '' };

/** One registry, as the site reads it and as a caller would. */
interface SiteRegistry {
  readonly route: RegistryRoute;
  /** Whose rights it is read with; part of the keys of what is kept. */
  readonly account: string;
  /** Without its mirror, which does not ask who reads. Throws ImageUnacceptable where the site takes no logins of callers. */
  openAs(login: RegistryLogin): RegistryEndpoint;
}

function siteRegistry(entry: RegistryEntry, options: RegistryClientOptions, fetch: UntrustedFetch, clock: Clock): SiteRegistry {
  const reached = reachedAs(entry.host, entry, options);
  const advice = entry.callerLogins ? `; with a login of your own: REGISTRY.${entry.host}` : '';
  const registry = new RegistryEndpoint({ ...reached, ...asSite(entry, options), advice }, fetch, clock);
  const mirror = entry.mirror && new RegistryEndpoint({ ...reachedAs(`${entry.host} (its mirror ${entry.mirror.host})`, entry.mirror, options), ...asSite(entry.mirror, options), advice: '' }, fetch, clock);
  return {
    route: { registry, ...(mirror === undefined ? {} : { mirror }) },
    account: accountOf(entry, options),
    openAs: ({ username, password }) => {
      if (!entry.callerLogins) throw new ImageUnacceptable('registry.login', `this site takes no logins of callers for the registry ${entry.host}`);
      return new RegistryEndpoint({ ...reached, credentials: async () => ({ kind: 'basic', username, password, callers: true }), reader: 'the login that was given', advice: '' }, fetch, clock);
    },
  };
}

function asSite(entry: ConnectionEntry, options: RegistryClientOptions): Pick<EndpointOptions, 'credentials' | 'reader'> {
  return { credentials: credentialSource(entry, options.dockerConfig), reader: 'this site' };
}

/** Where one host is, and what it may do. */
function reachedAs(name: string, entry: ConnectionEntry, options: RegistryClientOptions): Omit<EndpointOptions, 'credentials' | 'reader' | 'advice'> {
  const host = API_HOSTS.get(entry.host) ?? entry.host;
  const known = KNOWN_REALMS.get(entry.host);
  const own: HostSettings = { insecure: entry.insecure, internal: entry.internal, ...(entry.ca === undefined ? {} : { ca: certificates(entry.ca) }) };
  const hosts = [host, ...entry.realms, ...entry.redirects].flatMap(namesOf);
  return {
    name,
    host,
    settings: new Map(hosts.map((each): [string, HostSettings] => [each, own])),
    realms: new Set([host, ...entry.realms, ...(known === undefined ? [] : [known])].flatMap(namesOf)),
    deadline: options.deadlineSeconds * 1000,
  };
}

/** A host as it stands in URLs, which leave out the port that their scheme implies. */
function namesOf(host: string): string[] {
  return [host, new URL(`https://${host}`).host, new URL(`http://${host}`).host];
}

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
