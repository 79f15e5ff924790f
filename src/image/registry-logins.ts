/** Who somebody is to one registry. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

/** A caller's own logins, one for each registry. Closed: whatever prints or stores an object that holds them shows none. */
export class RegistryLogins {
  readonly #byDomain: ReadonlyMap<string, RegistryLogin>;

  /** By the registry's domain, as references name it. */
  constructor(byDomain: ReadonlyMap<string, RegistryLogin>) {
    this.#byDomain = byDomain;
  }

  get domains(): readonly string[] {
    return [...this.#byDomain.keys()];
  }

  of(domain: string): RegistryLogin | undefined {
    return this.#byDomain.get(domain);
  }
}
