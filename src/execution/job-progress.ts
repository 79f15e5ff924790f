import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { Job } from '../job/job.ts';
import type { JobStore } from '../store/job-store.ts';
import type { UsageStore } from '../store/usage-store.ts';
import type { Usage } from '../task/usage.ts';

/** What is true of a job only now, and therefore not kept with it. */
export interface LiveFacts {
  /** 1 = the next to be started. */
  readonly queuePosition?: number;
  /** Why nobody's turn comes at present. */
  readonly waiting?: string;
  /** The job's own word on how far it is. */
  readonly progress?: string;
  /** What it has used so far. */
  readonly usage?: Usage;
}

/** A running job's word is asked for at most this often (milliseconds), and only while somebody looks. */
const FRESH = 2_000;

/** How long a document waits for it (milliseconds); then it is told without, or with the one before. */
const PATIENCE = 200;

interface Word {
  asked: number;
  line: string | undefined;
  asking: Promise<void>;
}

/** Tells how far jobs are that wait or run. Never fails: it is news, not a fact that anything rests on. */
export class JobProgress {
  readonly #store: JobStore;
  readonly #engine: Engine;
  readonly #usage: UsageStore;
  readonly #clock: Clock;
  readonly #standstill: () => string | undefined;
  readonly #words = new LRUCache<string, Word>({ max: 10_000 });

  /** `standstill`: why no queued job is started at present, undefined while they are; absent = they always are. */
  constructor(parts: { readonly store: JobStore; readonly usage: UsageStore; readonly engine: Engine; readonly clock: Clock; readonly standstill?: () => string | undefined }) {
    this.#store = parts.store;
    this.#usage = parts.usage;
    this.#engine = parts.engine;
    this.#clock = parts.clock;
    this.#standstill = parts.standstill ?? (() => undefined);
  }

  /** How far the job is; empty where it neither waits nor runs, or nothing is known. */
  async of(job: Pick<Job, 'id' | 'phase' | 'startTime'>): Promise<LiveFacts> {
    if (job.phase === 'QUEUED') {
      const ahead = await this.#store.ahead(job.id).catch(() => undefined);
      const standstill = this.#standstill();
      return { ...(ahead === undefined ? {} : { queuePosition: ahead + 1 }), ...(standstill === undefined ? {} : { waiting: `waiting: ${standstill}` }) };
    }
    if (job.phase !== 'EXECUTING') return {};
    const usage = await this.#usage.used(job.id).catch(() => undefined);
    const line = this.#hasJustStarted(job) ? undefined : await this.#lineOf(job.id);
    return { ...(line === undefined ? {} : { progress: line }), ...(usage === undefined ? {} : { usage }) };
  }

  /** A look into a running container costs the engine a good part of what a short job does, and would find nothing yet. */
  #hasJustStarted({ startTime }: Pick<Job, 'startTime'>): boolean {
    const age = this.#clock.now() - (startTime ?? 0);
    return age >= 0 && age < FRESH;
  }

  async #lineOf(id: string): Promise<string | undefined> {
    const now = this.#clock.monotonic();
    let word = this.#words.get(id);
    if (word === undefined || now - word.asked >= FRESH) {
      const fresh: Word = { asked: now, line: word?.line, asking: Promise.resolve() };
      const given = new AbortController();
      fresh.asking = this.#engine.progress(id, AbortSignal.timeout(FRESH)).then((line) => void (fresh.line = line), () => undefined).finally(() => given.abort());
      this.#words.set(id, fresh);
      await Promise.race([fresh.asking, this.#clock.sleep(PATIENCE, given.signal)]);
      word = fresh;
    }
    return word.line;
  }
}
