import { SecretBox } from '../../src/job/secret-box.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANONYMOUS } from '../../src/caller.ts';
import { formatPath } from '../../src/compose/compose-problem.ts';
import type { Clock } from '../../src/clock.ts';
import { Execution, type ExecutionParts } from '../../src/execution/execution.ts';
import type { Job } from '../../src/job/job.ts';
import type { Phase } from '../../src/job/phase.ts';
import { createLogger } from '../../src/logger.ts';
import { judgeFile } from '../../src/policy/compose-judge.ts';
import { STRICT } from '../../src/policy/compose-knobs.ts';
import type { Policy, ProjectPolicy, ProjectQuestion } from '../../src/policy/policy.ts';
import type { ProjectVerdict, Reason, Verdict } from '../../src/policy/verdict.ts';
import type { JobStore } from '../../src/store/job-store.ts';
import { FileResultStore } from '../../src/store/file-result-store.ts';
import { SqliteDatabase } from '../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../src/store/sqlite-job-store.ts';
import { SqlitePulledImages } from '../../src/store/sqlite-pulled-images.ts';
import { SqliteUsageStore } from '../../src/store/sqlite-usage-store.ts';
import type { Task } from '../../src/task/task.ts';
import { PINNED_TASK } from './jobs.ts';
import { MemoryEngine } from './memory-engine.ts';

const HASH = `sha256:${'9'.repeat(64)}` as const;

/** Accepts every image as it is, until told to refuse; what would be judged stands in `PINNED_TASK`. */
export class YesPolicy implements Policy, ProjectPolicy {
  refusal: Reason | undefined;
  /** What goes wrong when it is asked about a task; undefined = nothing. */
  outage: Error | ((task: Task) => Error | undefined) | undefined;
  asked = 0;
  /** Of each task that came with one for its registry. */
  readonly logins: string[] = [];

  async evaluate(task: Task): Promise<Verdict> {
    this.asked += 1;
    const login = task.logins?.of(task.image.domain);
    if (login !== undefined) this.logins.push(`${login.username}:${login.password}`);
    const outage = typeof this.outage === 'function' ? this.outage(task) : this.outage;
    if (outage !== undefined) throw outage;
    const decision = { id: 'd1', at: 0, policy: HASH, rule: 'yes' };
    if (this.refusal !== undefined) return { accepted: false, reasons: [this.refusal], decision };
    const { cores = 1, memory = 2 ** 28, image, command, env, ports } = task;
    const digest = image.digest ?? PINNED_TASK.image.manifestDigest;
    return { accepted: true, decision, task: { ...PINNED_TASK, command, env, ...(ports === undefined ? {} : { ports }), resources: { cores, memory }, image: { ...PINNED_TASK.image, reference: image, manifestDigest: digest } } };
  }

  /** The file itself is judged as everywhere; its images are accepted. */
  async evaluateProject(question: ProjectQuestion): Promise<ProjectVerdict> {
    const site = { user: PINNED_TASK.user, resources: { cores: 0.5, memory: 2 ** 26 }, maximum: { cores: 4, memory: 2 ** 32 } };
    const bench = { knobs: STRICT, site, platform: PINNED_TASK.image.platform, judge: (task: Task) => this.evaluate(task) };
    const { project, problems, reasons, warnings } = await judgeFile(question, bench, ANONYMOUS, AbortSignal.timeout(10_000));
    const common = { digest: HASH, decision: { id: 'd1', at: 0, policy: HASH, rule: 'yes' }, warnings };
    if (project !== undefined) return { ...common, accepted: true, project };
    return { ...common, accepted: false, reasons: [...problems.map(({ code, path, line, text }) => ({ code, path: formatPath(path), line, text })), ...reasons] };
  }

  general(): readonly Reason[] {
    return this.refusal === undefined ? [] : [this.refusal];
  }
}

export const LIMITS = {
  executionDuration: { default: 3600, max: 86_400 },
  lifetime: { default: 604_800, max: 2_592_000 },
  grace: 10,
  resultBytes: 10_000,
  resultFiles: 5,
};

/** The execution of jobs on a real store in a folder of its own and a memory engine, restartable. */
export class TestExecution {
  readonly folder: string;
  readonly engine: MemoryEngine;
  readonly policy = new YesPolicy();
  readonly results: FileResultStore;
  readonly clock: Clock;
  readonly #overrides: Partial<ExecutionParts>;
  readonly #wrap: (store: JobStore) => JobStore;
  store!: SqliteJobStore;
  images!: SqlitePulledImages;
  usage!: SqliteUsageStore;
  execution!: Execution;

  /** `wrap`: what the execution gets for its store. */
  constructor(clock: Clock, overrides: Partial<ExecutionParts> = {}, wrap: (store: JobStore) => JobStore = (store) => store, on?: TestExecution) {
    this.clock = clock;
    this.folder = on?.folder ?? mkdtempSync(join(tmpdir(), 'pratique-execution-'));
    this.engine = on?.engine ?? new MemoryEngine(clock);
    this.results = new FileResultStore(join(this.folder, 'results'));
    this.#overrides = overrides;
    this.#wrap = wrap;
  }

  /** A second process on the same store and engine. To be stopped, not removed. */
  another(): TestExecution {
    return new TestExecution(this.clock, this.#overrides, undefined, this);
  }

  /** A process starts on what the last one left. */
  async start(): Promise<void> {
    const database = new SqliteDatabase(join(this.folder, 'jobs.db'));
    this.store = new SqliteJobStore(database);
    this.images = new SqlitePulledImages(database);
    this.usage = new SqliteUsageStore(database);
    this.execution = this.#make();
    await this.execution.start();
  }

  async stop(): Promise<void> {
    await this.execution.stop();
    await this.store.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** A job that was created with PHASE=RUN. */
  run(fields: { readonly executionDuration?: number } = {}): Promise<Job> {
    return this.execution.services.docker.create({ parameters: [{ name: 'IMAGE', value: 'registry.test/tools/one:1' }], run: true, ...fields }, ANONYMOUS);
  }

  get(id: string): Promise<Job> {
    return this.execution.services.docker.get(id, ANONYMOUS);
  }

  /** Resolves with the job once `holds` is true of it. */
  async until(id: string, holds: (job: Job) => boolean): Promise<Job> {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        const stop = this.execution.watch.subscribe(id, () => {
          stop();
          resolve();
        });
      });
      const job = await this.store.get(id);
      if (job !== undefined && holds(job)) return job;
      await changed;
    }
  }

  inPhase(id: string, phase: Phase): Promise<Job> {
    return this.until(id, (job) => job.phase === phase);
  }

  #make(): Execution {
    return new Execution({
      store: this.#wrap(this.store),
      results: this.results,
      usage: this.usage,
      keepUsage: 86_400,
      engine: this.engine,
      policy: this.policy,
      secrets: new SecretBox(Buffer.alloc(32, 1)),
      clock: this.clock,
      logger: createLogger('silent'),
      limits: LIMITS,
      archive: 0,
      // longer than any test's leap in time: a process that sleeps through its lease has lost it
      lease: 1e9,
      pulls: { atOnce: 3, timeout: 1800 },
      images: this.images,
      imageBudget: { unused: 30 * 86_400 },
      disk: { limit: 2 ** 20, every: 5 },
      offer: async () => ({ slots: 4, cores: 4, memory: 2 ** 32 }),
      resolveTag: async (reference) => ({ ...PINNED_TASK.image, reference }),
      ...this.#overrides,
    });
  }
}
