import type { Image } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { Relaxations } from './relaxations.ts';

/** What a client asks to run: one container. */
export interface ContainerTask {
  readonly type: 'container';
  readonly image: Reference;
  /** Words that replace the image's command; empty = the image's own. Never given to a shell. */
  readonly command: readonly string[];
  /** Words that replace the image's entrypoint, and with it the image's command; absent = the image's own. A service of a compose file may say it. */
  readonly entrypoint?: readonly string[];
  /** Environment of the container, on top of the image's own. */
  readonly env: Readonly<Record<string, string>>;
  /** CPU cores asked for (may be fractional); absent = the site's default. */
  readonly cores?: number;
  /** Memory asked for (bytes); absent = the site's default. */
  readonly memory?: number;
  /** Graphics processors asked for; absent = none. */
  readonly gpus?: number;
  /** TCP ports that its owner may reach while it runs; absent = none. */
  readonly ports?: readonly number[];
  /** The caller's own, with which its registry is asked instead of with the site's; absent = the site's. */
  readonly logins?: RegistryLogins;
}

export type Task = ContainerTask;

/** Resources that a job is promised and held to. */
export interface Resources {
  /** CPU cores, may be fractional. */
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

/** The most that one task can ask for. */
export interface OfferedResources extends Resources {
  /** Graphics processors; absent = none. */
  readonly gpus?: number;
}

/** A task as judged: the image is pinned by digest and the resources are what is granted. The only kind that an engine runs. */
export interface PinnedTask {
  readonly type: 'container';
  readonly image: Image;
  readonly command: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  /** `uid:gid` the container runs as. */
  readonly user: string;
  /** TCP ports that its owner may reach while it runs; absent = none. */
  readonly ports?: readonly number[];
  /** What its rule gives it beyond the sandbox that all have; absent = nothing. */
  readonly relaxed?: Relaxations;
}
