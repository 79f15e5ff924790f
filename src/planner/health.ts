import type { Clock, Instant } from '../clock.ts';

/** Whether something answers at this URL within `timeout` milliseconds. Never throws. */
export type HealthProbe = (url: string, timeout: number) => Promise<boolean>;

export interface HealthSettings {
  readonly url: string;
  /** Seconds. */
  readonly timeout: number;
  /** Seconds for which an answer counts. */
  readonly every: number;
}

/** Whether a platform is alive, asked when somebody wants to know and not more often than `every`. */
export class Health {
  readonly #settings: HealthSettings;
  readonly #clock: Clock;
  readonly #probe: HealthProbe | undefined;
  #last: { readonly healthy: boolean; readonly until: Instant } | undefined;
  #asking: Promise<boolean> | undefined;

  /** Without a probe nothing is ever known to be alive. */
  constructor(settings: HealthSettings, clock: Clock, probe: HealthProbe | undefined) {
    this.#settings = settings;
    this.#clock = clock;
    this.#probe = probe;
  }

  async isHealthy(): Promise<boolean> {
    if (this.#last !== undefined && this.#clock.now() < this.#last.until) return this.#last.healthy;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    const { url, timeout, every } = this.#settings;
    const healthy = (await this.#probe?.(url, timeout * 1000)) ?? false;
    this.#last = { healthy, until: this.#clock.now() + every * 1000 };
    return healthy;
  }
}
