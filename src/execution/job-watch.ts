import { EventEmitter } from 'node:events';
import type { Job, JobUpdate, PhaseChange } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';
import type { JobStore } from '../store/job-store.ts';

/**
 * "Tell me when this job changes". A hint, never the truth: who is woken reads the store again. Subscribe first, then read,
 * then wait; so no change can fall between.
 */
export class JobWatch {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  #changes = 0;
  #underWay = 0;

  /**
   * Changes of any job that this process has made, or undefined while one is under way: as long as it is the same number,
   * what was read is what would be read again.
   */
  get changes(): number | undefined {
    return this.#underWay > 0 ? undefined : this.#changes;
  }

  /** Makes a change, so that `changes` knows of it from its beginning to its end. */
  async during<T>(change: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await change();
    } finally {
      this.#underWay -= 1;
      this.#changes += 1;
    }
  }

  /** Calls `listener` at each change of the job, until the returned function is called. */
  subscribe(jobId: string, listener: () => void): () => void {
    this.#emitter.on(jobId, listener);
    return () => {
      this.#emitter.off(jobId, listener);
    };
  }

  /** Wakes everybody who watches this job. */
  changed(jobId: string): void {
    this.#emitter.emit(jobId);
  }

  /** Wakes everybody: at shutdown. */
  wakeAll(): void {
    for (const jobId of this.#emitter.eventNames()) this.#emitter.emit(jobId);
  }
}

/** `store`, telling `watch` of every change that it makes: so nobody can forget to. */
export function watched(store: JobStore, watch: JobWatch): JobStore {
  const tell = <T>(id: string, result: T): T => {
    if (result !== undefined && result !== false) watch.changed(id);
    return result;
  };
  const changes: Pick<JobStore, 'changePhase' | 'update' | 'delete'> = {
    changePhase: async (id: string, change: PhaseChange, holder?: string): Promise<Job | undefined> =>
      tell(id, await watch.during(() => store.changePhase(id, change, holder))),
    update: async (id: string, phases: readonly Phase[], update: JobUpdate, holder?: string): Promise<Job | undefined> =>
      tell(id, await watch.during(() => store.update(id, phases, update, holder))),
    delete: async (id, at) => tell(id, await watch.during(() => store.delete(id, at))),
  };
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return changes[name as keyof typeof changes];
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
