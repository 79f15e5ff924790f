import type { Duplex, Readable } from 'node:stream';
import type { Instant } from '../clock.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { RegistryLogin } from '../image/registry-logins.ts';
import type { Endpoint } from '../task/endpoints.ts';
import type { PinnedWork } from '../task/project.ts';
import type { ContainerUse } from '../task/usage.ts';

/** What the engine is and can do. */
export interface EngineDescription {
  readonly name: string;
  readonly version: string;
  readonly platform: Platform;
  /** CPU cores of the host. */
  readonly cores: number;
  /** Memory of the host (bytes). */
  readonly memory: number;
  /** The engine's own warnings: limits that it cannot enforce, for example. */
  readonly warnings: readonly string[];
}

/** One job's container, or all of its project's, as the engine sees it. */
export interface EngineRun {
  readonly jobId: string;
  /**
   * `created`: never started. `running`: started and not over. `exited`: over; it is never started again. A container that
   * the engine could not start is `exited` without `startedAt`, and `exit.error` says why.
   */
  readonly state: 'created' | 'running' | 'exited';
  readonly startedAt?: Instant;
  readonly finishedAt?: Instant;
  readonly exit?: Exit;
}

/** A container among all. */
export type ListedRun = EngineRun | { readonly jobId: string; readonly state: 'unknown' };

/** How a container ended. */
export interface Exit {
  readonly code: number;
  /** The kernel ended something of it for want of memory; the main process may have gone on and ended well. */
  readonly outOfMemory: boolean;
  /** The engine's own words where it could not run the process at all. */
  readonly error?: string;
  /** That was for a trouble of the engine's own: the same may go well another time. */
  readonly temporary?: boolean;
  /** A project was told to stop at a moment at which nothing of it ran: it would have gone on. */
  readonly stopped?: boolean;
}

/** How far a pull has come (bytes); total only of what is known so far. */
export interface PullProgress {
  readonly current: number;
  readonly total: number;
}

/** One file below /output, as read from the engine's archive of it. */
export interface OutputFile {
  /** Path below /output, `/` between its parts, never absolute, never with `..`. */
  readonly path: string;
  /** Bytes, as the archive's header says; the content is exactly as long. */
  readonly size: number;
  /** To be read before the next file is asked for; what is left unread, or was destroyed, is read away by then. */
  readonly content: Readable;
}

/** Something below /output that is not a regular file with a usable name, and was passed over. */
export interface OutputSkipped {
  readonly path: string;
  readonly reason: string;
}

/** Which log: `part` = of one service of a project, absent = of all. */
export interface LogOptions {
  readonly follow: boolean;
  readonly signal?: AbortSignal;
  readonly part?: string;
}

/** How whoever tells the engine to do something is asked whether he still may. */
export interface ActOptions {
  /** Asked before every side effect of the call; where it rejects, nothing more is done, and the call rejects with that. */
  readonly mayAct?: () => Promise<void>;
}

/** The same of whoever waits for a job's end. */
export interface WaitOptions extends ActOptions {
  /** As of `start`, for containers of a project that are started later, or once more. */
  readonly secrets?: ReadonlyMap<string, string>;
}

/** Whoever makes containers. */
export interface MakeOptions extends ActOptions {
  /**
   * Whether nobody has asked yet for a start of what is made. Then a container of that name that is not the one that was asked for, and
   * was never started, is removed and made anew, once: an engine that was killed while it made it has kept it half-made. Otherwise, and
   * where this is absent, it stays: it may be all that tells whether the program ran.
   */
  readonly mayMakeAnew?: () => Promise<boolean>;
}

/** What a container is made with beside its task. */
export interface CreateOptions extends MakeOptions {
  /** It has a place in memory for secrets, which come with its start. */
  readonly secrets: boolean;
}

/**
 * Runs judged work, one container or one project of them a job, under names and labels derived from the job's id, so that everything
 * can be repeated and found again. "The container" of a job is all of its project's below. Speaks only our types. Methods that reach the engine throw EngineUnavailable when it does not
 * answer, and EngineRefused when it answers no.
 */
export interface Engine {
  describe(signal?: AbortSignal): Promise<EngineDescription>;
  /** What the engine's own clock shows: its instants compare with this one only, for its clock need not be ours. */
  time(signal?: AbortSignal): Promise<Instant>;
  /** Whether the judged image is present. Throws EngineRefused where the engine sees another one under its name. */
  hasImage(image: Image, signal: AbortSignal): Promise<boolean>;
  /**
   * Makes the judged image present (pull by digest, only if it is not there already) and proves that the engine sees what
   * was judged: id, layers, platform and configuration. `login`: who pulls it; absent = the site. Throws EngineRefused.
   */
  ensureImage(image: Image, onProgress: (progress: PullProgress) => void, signal: AbortSignal, login?: RegistryLogin): Promise<void>;
  /** Bytes on the engine's disk of the images that have a name of the form registry/path@sha256:…, by that name; layers that several have are counted for each. */
  imageSizes(signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Removes the image of that name unless a container uses it. False = one does. None there = done. */
  removeImage(name: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Creates the job's container, its volumes prepared, nothing started; then compares what the engine made with what was
   * asked for. Done already = done. Throws EngineRefused when a limit cannot be enforced or anything differs; then nothing is left
   * of a container, and of a project what was made stays, for the next try or for `remove`.
   */
  create(jobId: string, work: PinnedWork, signal: AbortSignal, options?: CreateOptions): Promise<void>;
  /**
   * Starts a container that was created and never started; of one that was, tells the truth and does nothing. Throws
   * EngineRefused, each time again, where the engine cannot start it or there is none; that is final, for whether its program
   * ran is not always known then, and it must not run twice. The signal is heard before the call
   * only: what the engine has begun, it does. `secrets`: texts that become files in /run/secrets, by name, for a container that was
   * created with a place for them; they are there before its program is, and one that runs already must have them. Containers of a
   * project get those that the project says. `mayAct`: asked after all preparations, immediately before the engine is told to; where it
   * rejects, nothing is started. What is started is the container that was there when the call began, and no other of its name.
   */
  start(jobId: string, signal: AbortSignal, secrets?: ReadonlyMap<string, string>, options?: ActOptions): Promise<EngineRun>;
  /**
   * Whether it is safe to start, once more, a container that somebody has tried to start before. False when the engine believes
   * that it was never started, but does not show that it has been up ever since it was made: an engine that is killed in the middle of
   * a start has forgotten it afterwards, and the program may have run. A busy engine may have forgotten the making alone. On yes a
   * container that was never started is gone, so that a start of it that is still on its way finds nothing: it is to be created again.
   */
  mayStartAgain(jobId: string): Promise<boolean>;
  /**
   * Resolves when the container is over; of a project, starts and ends services meanwhile. Rejects with the signal's reason when it
   * aborts. Throws EngineRefused when it is gone or was never started.
   */
  wait(jobId: string, signal: AbortSignal, options?: WaitOptions): Promise<EngineRun>;
  /** The job's container, or undefined where there is none. */
  inspect(jobId: string, signal?: AbortSignal): Promise<EngineRun | undefined>;
  /** SIGTERM (or the image's stop signal), `graceSeconds` later SIGKILL; resolves when it is over. None there = done. */
  stop(jobId: string, graceSeconds: number): Promise<void>;
  /** What the job has written so far; with `follow`, on until the container is over. Lines of several containers have the container's name before them. */
  logs(jobId: string, stream: 'stdout' | 'stderr', options: LogOptions): Promise<Readable>;
  /** A connection to a port on which a running container listens, on its own loopback or everywhere. Ends at once where nobody listens. Throws EngineRefused where the container does not run. */
  connect(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<Duplex>;
  /** Whether somebody listens there. Throws as `connect`. */
  listens(jobId: string, endpoint: Endpoint, signal: AbortSignal): Promise<boolean>;
  /**
   * The last line of /output/.uws/progress as the job has written it so far, what is no text or too long cut off; undefined where
   * there is no such regular file.
   */
  progress(jobId: string, signal: AbortSignal): Promise<string | undefined>;
  /**
   * What the job has used so far, by a name for each of its containers that stays the same. Only running containers are in it: the
   * engine keeps nothing of one that is over. To be asked once a second at most; an engine may let sooner questions wait.
   */
  usage(jobId: string, signal: AbortSignal): Promise<ReadonlyMap<string, ContainerUse>>;
  /** The regular files below /output of a container that is over; whatever else is there is told as skipped. */
  outputs(jobId: string, signal: AbortSignal): AsyncIterable<OutputFile | OutputSkipped>;
  /** Removes the container and the volumes of the job; resolves when nothing of it is left. None there = done. */
  remove(jobId: string): Promise<void>;
  /** Bytes that each job of this gateway has on the engine's disk now, holes counted. Who is not told has none. */
  diskUse(signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /**
   * Every container of this gateway, by label: the basis of recovery. A left-over volume without its container is told as
   * `created`: nothing of that job ever ran, or nobody can know. One with which the engine is stuck, while it answers for others, is `unknown`.
   */
  list(signal?: AbortSignal): Promise<readonly ListedRun[]>;
  close(): Promise<void>;
}

/** The engine answered no; the job cannot run as judged. The message is fit for the job's owner. */
export class EngineRefused extends Error {
  override readonly name = 'EngineRefused';
  /** Whether trying again may help: a registry outage during the pull, for example. */
  readonly temporary: boolean;

  constructor(message: string, options: { readonly temporary?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.temporary = options.temporary ?? false;
  }
}
