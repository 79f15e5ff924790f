import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogin, RegistryLogins } from '../image/registry-logins.ts';
import type { Registry, SignatureDocument } from './registry.ts';

/** A way to one registry for who logs in there. Throws ImageUnacceptable where the site takes no such login. */
export type OpenRegistry = (domain: string, login: RegistryLogin) => Registry;

/** Asks registries as the caller where there is a login for one, and as the site otherwise. */
export class LoginRegistry implements Registry {
  readonly #site: Registry;
  readonly #logins: RegistryLogins;
  readonly #open: OpenRegistry;
  readonly #opened = new Map<string, Registry>();

  constructor(site: Registry, logins: RegistryLogins, open: OpenRegistry) {
    this.#site = site;
    this.#logins = logins;
    this.#open = open;
  }

  async resolve(reference: Reference, platform: Platform, signal: AbortSignal): Promise<Image> {
    return this.#for(reference).resolve(reference, platform, signal);
  }

  async currentDigest(reference: Reference, signal: AbortSignal): Promise<Digest> {
    return this.#for(reference).currentDigest(reference, signal);
  }

  async signatures(reference: Reference, digest: Digest, signal: AbortSignal): Promise<readonly SignatureDocument[]> {
    return this.#for(reference).signatures(reference, digest, signal);
  }

  as(logins: RegistryLogins): Registry {
    return this.#site.as(logins);
  }

  #for({ domain }: Reference): Registry {
    const login = this.#logins.of(domain);
    if (login === undefined) return this.#site;
    const registry = this.#opened.get(domain) ?? this.#open(domain, login);
    this.#opened.set(domain, registry);
    return registry;
  }
}
