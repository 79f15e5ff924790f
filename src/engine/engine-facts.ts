import type { Platform } from '../image/platform.ts';
import type { Engine, EngineDescription } from './engine.ts';

/** What the engine once said of itself: its platform and size do not change while it runs, and the judge asks for them often. */
export class EngineFacts {
  readonly #engine: Engine;
  #known: EngineDescription | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What is known; undefined before the engine has answered for the first time. */
  get known(): EngineDescription | undefined {
    return this.#known;
  }

  /** Throws EngineUnavailable while the engine has never answered. */
  async description(signal?: AbortSignal): Promise<EngineDescription> {
    this.#known ??= await this.#engine.describe(signal);
    return this.#known;
  }

  /** The platform that jobs run on. Throws EngineUnavailable. */
  async platform(signal?: AbortSignal): Promise<Platform> {
    return (await this.description(signal)).platform;
  }
}
