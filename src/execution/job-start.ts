import type { Clock } from '../clock.ts';
import { type Engine, EngineRefused, type EngineRun, type PullProgress } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { Job, JobError, JobInfo } from '../job/job.ts';
import type { SecretBox } from '../job/secret-box.ts';
import { withLogins } from '../job/secrets.ts';
import type { JobStore } from '../store/job-store.ts';
import { haveSameImages, imagesOf, type PinnedWork } from '../task/project.ts';
import { parseLogins } from '../task/secret-parameters.ts';
import type { Closure } from './closure.ts';
import type { ImagePulls, PullListener } from './image-pulls.ts';
import type { Guard } from './job-guard.ts';
import type { JobKinds } from './job-kind.ts';
import { secretsOf } from './job-secrets.ts';
import { refusal } from './job-service.ts';
import type { Lease } from './lease.ts';
import type { Slots } from './slots.ts';

export interface JobStartParts {
  readonly store: JobStore;
  readonly engine: Engine;
  readonly kinds: JobKinds;
  readonly clock: Clock;
  readonly lease: Lease;
  readonly slots: Slots;
  readonly pulls: ImagePulls;
  /** Why no container is started at present; undefined = nothing stands in the way. */
  readonly closed: () => Closure | undefined;
  readonly secrets: SecretBox;
  /** The image that a tag names at present; to tell of tags that have moved. */
  readonly resolveTag: (reference: Reference, signal: AbortSignal, logins?: RegistryLogins) => Promise<Image>;
}

/** A job whose container has been started. */
export interface StartedJob {
  readonly run: EngineRun;
  readonly task: PinnedWork;
  readonly decision: Job['decision'];
  readonly info: JobInfo;
  /** Whether it was started now, by this try, and not by one before. */
  readonly now: boolean;
}

/** The policy's refusal at the last door, or the engine's. */
export interface RefusedJob {
  readonly refused: JobError;
  readonly decision: Job['decision'];
}

/** Between two updates of a pull's progress in the job (milliseconds). */
const PROGRESS_INTERVAL = 1_000;

/** How long the look for a moved tag may take (milliseconds): it is news, not a condition. */
const TAG_DEADLINE = 5_000;

const TOO_LARGE = 'the job needs more than this site now offers to all its jobs together';

const OTHER_PLATFORM = 'the engine now has another platform than the one that the image was judged for';

const UNKNOWN = 'an earlier try was to start the container, and the engine does not remember what came of it, for it was restarted or has had too much to remember since; whether the program ran is not known, and it must not run twice';

/** Puts one queued job into a container: judged once more, pulled by digest, verified, created, verified, started. */
export class JobStart {
  readonly #parts: JobStartParts;

  constructor(parts: JobStartParts) {
    this.#parts = parts;
  }

  /**
   * Every step finds what an earlier try has done already; with `again` there may have been one, and a container that it has
   * started is taken as it is, without asking anybody else. Throws EngineUnavailable, EngineRefused, RegistryUnavailable, and
   * what the guard aborts with.
   */
  async start(job: Job, again: boolean, guard: Guard): Promise<StartedJob | RefusedJob> {
    const { engine, kinds, slots, store } = this.#parts;
    const { signal } = guard;
    if (job.task === null) throw new Error('a job without a task was queued');
    const earlier = again ? await engine.inspect(job.id, signal) : undefined;
    if (earlier?.startedAt !== undefined) return this.#adopted(job, job.task, earlier, guard);
    if (slots.neverFits(job)) return { refused: { type: 'fatal', message: TOO_LARGE }, decision: job.decision };
    const verdict = await kinds[job.list].again(job)({ id: job.owner, groups: job.groups }, signal, 'run');
    if (!verdict.accepted) return { refused: refusal(verdict.reasons), decision: verdict.decision };
    const { task, decision } = verdict;
    // an index holds images for several platforms, and the engine may have become another one's
    if (!haveSameImages(task, job.task)) return { refused: { type: 'fatal', message: OTHER_PLATFORM }, decision };
    const logins = parseLogins(withLogins(job, this.#parts.secrets));
    const [tag] = await Promise.all([this.#tagNow(task, logins, signal), this.#pull(job, imagesOf(task), logins, signal)]);
    await guard.mayAct();
    this.#mustBeOpen();
    const secrets = secretsOf(job, task, this.#parts.secrets);
    const mayMakeAnew = async (): Promise<boolean> => !(await store.startAsked(job.id));
    const create = (): Promise<void> => engine.create(job.id, task, signal, { secrets: secrets.size > 0, mayAct: () => guard.mayAct(), mayMakeAnew });
    await create();
    if ((await this.#askStart(job, guard)) === 'again') {
      if (!(await engine.mayStartAgain(job.id))) return { refused: { type: 'transient', message: UNKNOWN }, decision };
      await create();
    }
    const run = await this.#start(job, secrets, guard);
    if ('refused' in run) return { ...run, decision };
    return { run, task, decision, info: tag === undefined ? {} : { tagMovedTo: tag }, now: true };
  }

  /** What an earlier try has started. Where the job has secrets, nobody has proved yet that its program has them. */
  async #adopted(job: Job, task: PinnedWork, earlier: EngineRun, guard: Guard): Promise<StartedJob | RefusedJob> {
    const { decision } = job;
    const secrets = secretsOf(job, task, this.#parts.secrets);
    const run = secrets.size === 0 ? earlier : await this.#start(job, secrets, guard);
    return 'refused' in run ? { ...run, decision } : { run, task, decision, info: {}, now: false };
  }

  /** The engine's no is final. */
  async #start(job: Job, secrets: ReadonlyMap<string, string>, guard: Guard): Promise<EngineRun | Pick<RefusedJob, 'refused'>> {
    // asked once more when nothing but the start is left to do: whoever was frozen meanwhile has lost the job
    return this.#parts.engine.start(job.id, guard.signal, secrets, { mayAct: () => guard.mayAct() }).catch((error: unknown) => {
      if (!(error instanceof EngineRefused)) throw error;
      return { refused: { type: error.temporary ? 'transient' : 'fatal', message: error.message } };
    });
  }

  /** The intent comes first. `again`: a start was asked for before, and what became of it is for the engine to say. */
  async #askStart(job: Job, guard: Guard): Promise<'first' | 'again'> {
    const { lease, store } = this.#parts;
    await guard.mayAct();
    this.#mustBeOpen();
    const asked = await store.askStart(job.id, lease.holder);
    if (asked === undefined) {
      await guard.mayAct();
      throw new Error('a job that was QUEUED is not any more, and not over');
    }
    return asked;
  }

  /** Throws Unavailable while nothing is started: the job goes on waiting. */
  #mustBeOpen(): void {
    const closure = this.#parts.closed();
    if (closure !== undefined) throw new GatewayError('Unavailable', closure.text);
  }

  /** The digest that the tag names now, if it is another than the one that was judged; undefined also when nobody can say. */
  async #tagNow(task: PinnedWork, logins: RegistryLogins | undefined, signal: AbortSignal): Promise<Digest | undefined> {
    if (task.type === 'project') return undefined;
    const { image } = task;
    const { domain, path, tag } = image.reference;
    if (tag === undefined) return undefined;
    try {
      const now = await this.#parts.resolveTag({ domain, path, tag }, AbortSignal.any([signal, AbortSignal.timeout(TAG_DEADLINE)]), logins);
      return now.manifestDigest === image.manifestDigest ? undefined : now.manifestDigest;
    } catch {
      return undefined;
    }
  }

  async #pull(job: Job, images: readonly Image[], logins: RegistryLogins | undefined, signal: AbortSignal): Promise<void> {
    const listener = this.#progress(job, images.length, signal);
    await Promise.all(images.map((image) => this.#parts.pulls.ensure(image, listener(image), signal, logins?.of(image.reference.domain))));
  }

  /** Tells of all pulls of a job together. */
  #progress(job: Job, images: number, signal: AbortSignal): (image: Image) => PullListener {
    const { clock, lease, store } = this.#parts;
    const pulls = new Map<Digest, PullProgress>();
    let last = -Infinity;
    return ({ manifestDigest }) => (said) => {
      if (said !== 'waiting') pulls.set(manifestDigest, said);
      const news = pulls.size === 0 ? said : sumOf([...pulls.values()]);
      if (clock.monotonic() - last < PROGRESS_INTERVAL || signal.aborted) return;
      if (news !== 'waiting') last = clock.monotonic();
      const told = news === 'waiting'
        ? { message: 'waiting: for other images to be pulled' }
        : { message: `pulling the ${images === 1 ? 'image' : 'images'}: ${String(news.current)} of ${String(news.total)} bytes`, pull: news };
      // news for whoever looks: losing one is harmless
      store.update(job.id, ['QUEUED'], { info: { ...job.info, ...told } }, lease.holder).catch(() => undefined);
    };
  }
}

function sumOf(pulls: readonly PullProgress[]): PullProgress {
  return pulls.reduce((sum, { current, total }) => ({ current: sum.current + current, total: sum.total + total }), { current: 0, total: 0 });
}
