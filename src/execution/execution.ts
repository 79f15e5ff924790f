import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { SecretBox } from '../job/secret-box.ts';
import type { Logger } from '../logger.ts';
import type { Decisions, Policy, ProjectPolicy } from '../policy/policy.ts';
import type { JobStore } from '../store/job-store.ts';
import type { PulledImages } from '../store/pulled-images.ts';
import type { ResultStore } from '../store/result-store.ts';
import type { UsageStore } from '../store/usage-store.ts';
import { imagesOf, type PinnedWork } from '../task/project.ts';
import { ADMIT_ALL, type Admission } from './admission.ts';
import type { Closure } from './closure.ts';
import { DiskWatch } from './disk-watch.ts';
import { type ImageBudget, ImagePruning } from './image-pruning.ts';
import { ImagePulls } from './image-pulls.ts';
import type { JobListName } from '../job/job.ts';
import { JobDestruction } from './job-destruction.ts';
import { JobDrain } from './job-drain.ts';
import { jobKinds } from './job-kind.ts';
import { JobQueue } from './job-queue.ts';
import { JobRecovery } from './job-recovery.ts';
import { JobRunner } from './job-runner.ts';
import { JobService } from './job-service.ts';
import { JobStart } from './job-start.ts';
import { JobWatch, watched } from './job-watch.ts';
import { Lease } from './lease.ts';
import type { JobLimits } from './limits.ts';
import { type MayStart, type Offer, Slots } from './slots.ts';
import { StartupEstimate } from './startup-estimate.ts';
import { UsageWatch } from './usage-watch.ts';

/** What jobs are run with. */
export interface ExecutionParts {
  readonly store: JobStore;
  readonly results: ResultStore;
  readonly usage: UsageStore;
  readonly engine: Engine;
  readonly policy: Policy & ProjectPolicy;
  /** Absent = nobody remembers what was said before. */
  readonly decisions?: Decisions;
  /** What keeps the jobs' secrets while they may ask for them. */
  readonly secrets: SecretBox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: JobLimits;
  /** Seconds for which the record of a destroyed job stays. */
  readonly archive: number;
  /** Seconds for which it is known what a job has used, from its end. */
  readonly keepUsage: number;
  /** Seconds for which jobs stay with a gateway that gives no sign of life. */
  readonly lease: number;
  /** How many images are pulled at once, and the seconds that one may take. */
  readonly pulls: { readonly atOnce: number; readonly timeout: number };
  /** What has been pulled, and what of it may stay on the engine though nobody uses it. */
  readonly images: PulledImages;
  readonly imageBudget: ImageBudget;
  /** Bytes that one job may have on the engine's disk, and the seconds between two looks at it. */
  readonly disk: { readonly limit: number; readonly every: number };
  /** What the site offers to all jobs together; asked when the engine first answers. */
  readonly offer: () => Promise<Offer>;
  readonly resolveTag: (reference: Reference, signal: AbortSignal, logins?: RegistryLogins) => Promise<Image>;
  /** Absent = everybody may have jobs, as many as they like. */
  readonly admission?: Admission;
  /** Quotas of what runs; absent = none. */
  readonly mayStart?: MayStart;
  /** Why the site takes and starts no jobs at present, beside a drain; absent = nothing ever does. */
  readonly closed?: () => Closure | undefined;
}

/** Everything that happens to jobs, wired: the services that clients reach, one for each job list, and what works behind it. */
export class Execution {
  readonly services: Readonly<Record<JobListName, JobService>>;
  readonly watch = new JobWatch();
  readonly slots: Slots;
  readonly startup: StartupEstimate;
  readonly #queue: JobQueue;
  readonly #recovery: JobRecovery;
  readonly #destruction: JobDestruction;
  readonly #pruning: ImagePruning;
  readonly #drain: JobDrain;
  readonly #pulls: ImagePulls;
  readonly #closed: () => Closure | undefined;
  readonly #store: Pick<JobStore, 'count'>;

  constructor(given: ExecutionParts) {
    this.slots = new Slots(given.mayStart);
    this.#closed = given.closed ?? (() => undefined);
    this.#store = given.store;
    const store = watched(given.store, this.watch);
    const lease = new Lease({ store, clock: given.clock, holder: randomUUID(), length: given.lease * 1000 });
    const pulls = new ImagePulls({ engine: given.engine, images: given.images, clock: given.clock, atOnce: given.pulls.atOnce, timeout: given.pulls.timeout });
    this.#pulls = pulls;
    const kinds = jobKinds(given.policy, given.secrets);
    const parts = { ...given, kinds, store, lease, watch: this.watch, slots: this.slots, pulls };
    this.startup = new StartupEstimate(parts);
    const disk = new DiskWatch({ engine: given.engine, clock: given.clock, logger: given.logger, ...given.disk });
    const usage = new UsageWatch(given);
    const runner = new JobRunner({ ...parts, disk, usage, start: new JobStart({ ...parts, closed: () => this.closure }) });
    const admission = given.admission ?? ADMIT_ALL;
    const queue = new JobQueue({ ...parts, runner, admission, closed: this.#closed, beat: (given.lease * 1000) / 3 });
    const ready = async (): Promise<void> => this.slots.offer(await given.offer());
    this.#queue = queue;
    this.#drain = new JobDrain({ queue, runner, clock: given.clock });
    this.#recovery = new JobRecovery({ ...parts, queue, runner, ready });
    this.#destruction = new JobDestruction({ ...parts, queue });
    this.#pruning = new ImagePruning({ ...parts, budget: given.imageBudget });
    const service = (list: JobListName): JobService => new JobService({
      ...parts,
      list,
      kind: kinds[list],
      queued: () => queue.wake(),
      removed: () => this.#destruction.wake(),
      admission,
      admit: () => {
        const { closure } = this;
        if (closure !== undefined) throw new GatewayError('Unavailable', closure.text, { headers: { 'Retry-After': String(closure.retryAfter) } });
      },
    });
    this.services = { docker: service('docker'), compose: service('compose') };
  }

  /** Begins to work in the background; needs no engine yet. */
  async start(): Promise<void> {
    await this.#queue.start();
    this.#recovery.start();
    this.#destruction.start();
    this.#pruning.start();
  }

  /** Starts no more jobs, takes no new ones. Those that still run after `abortAfter` seconds are ended; absent = never. */
  drain(abortAfter?: number): void {
    this.#drain.begin(abortAfter);
  }

  /** Takes and starts jobs again. */
  resume(): void {
    this.#drain.end();
  }

  get draining(): boolean {
    return this.#queue.draining;
  }

  /** How many jobs run: those on which this process works, and those of the last one that it has yet to take up. Throws Unavailable. */
  async running(): Promise<number> {
    const { EXECUTING = 0 } = await this.#store.count();
    return Math.max(this.slots.running.length, EXECUTING);
  }

  /** Why no jobs are taken or started at present; undefined = they are. */
  get closure(): Closure | undefined {
    return this.#drain.closure ?? this.#closed();
  }

  /** Somebody has been told yes of this work: its images are kept for when he comes back with it. */
  promised(work: PinnedWork): void {
    for (const image of imagesOf(work)) this.#pulls.want(image);
  }

  /** Why no queued job is started at present, in words for their owners; undefined = they are, in turn. Told of all, and kept with none. */
  get standstill(): string | undefined {
    return this.closure?.text ?? this.#recovery.obstacle;
  }

  /** Lets go of every job; their containers run on and are picked up at the next start. */
  async stop(): Promise<void> {
    this.#drain.stop();
    await Promise.all([this.#recovery.stop(), this.#destruction.stop(), this.#pruning.stop()]);
    await this.#queue.stop();
  }
}
