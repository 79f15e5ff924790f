import { lookup } from 'mime-types';
import { type Engine, EngineRefused, type OutputFile, type OutputSkipped } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Job, Result } from '../job/job.ts';
import type { ResultStore } from '../store/result-store.ts';
import { endpointsOf } from '../task/endpoints.ts';
import type { PinnedWork } from '../task/project.ts';
import { type JobLog, logsOf } from './job-logs.ts';
import type { JobLimits } from './limits.ts';

const TEXT = 'text/plain';
/** The results that say where a job serves, under our name and under that of the prototype (lucia); they are there while the job runs. */
export const ENDPOINTS: readonly string[] = ['endpoints', 'ports'];

/** Names that results of the gateway's own have, or could have; an output file called so gets its folder's name in front. */
const RESERVED: ReadonlySet<string> = new Set(['state', ...ENDPOINTS]);

/** What a job that runs has to show: its output, still growing, and where it serves. */
export function liveResults(task: PinnedWork): readonly Result[] {
  const logs = logsOf(task).map(({ id }) => ({ id, mediaType: TEXT }));
  return endpointsOf(task).length === 0 ? logs : [...logs, ...ENDPOINTS.map((id) => ({ id, mediaType: 'application/json' }))];
}

/** What was kept of a job, and one line for each thing that was not. */
export interface Collected {
  readonly results: readonly Result[];
  readonly warnings: readonly string[];
}

/** Warnings kept; a job with ten thousand odd files shall not make a document of ten thousand lines. */
const MOST_WARNINGS = 20;

export interface CollectParts {
  readonly engine: Engine;
  readonly results: ResultStore;
  readonly limits: JobLimits;
}

/** What to do where the engine has the container and does not give what it has written. */
export type OnRefusal = 'throw' | 'leave-out';

/**
 * Copies the logs and every regular file below /output of a container that is over into the result store, within the
 * site's limits. What is over a limit is left out and told, it does not fail the job. Throws EngineUnavailable, EngineRefused,
 * what the store throws, and the signal's reason; once more from the beginning is always possible.
 */
export async function collectResults({ id: jobId, task }: Pick<Job, 'id' | 'task'>, { engine, results, limits }: CollectParts, onRefusal: OnRefusal, signal: AbortSignal): Promise<Collected> {
  const collector = new Collector(jobId, logsOf(task), results, limits, onRefusal);
  await results.tidy(jobId);
  for (const { id, stream, ...log } of logsOf(task)) {
    await collector.despiteRefusal(id, async () => collector.keep(id, TEXT, await engine.logs(jobId, stream, { ...log, follow: false, signal })));
  }
  await collector.despiteRefusal('output', async () => {
    for await (const entry of engine.outputs(jobId, signal)) await collector.output(entry);
  });
  signal.throwIfAborted();
  await results.settle(jobId);
  return collector.collected();
}

class Collector {
  readonly #jobId: string;
  /** Ids that no output file can have any more. */
  readonly #taken: Set<string>;
  readonly #store: ResultStore;
  readonly #limits: JobLimits;
  readonly #results: Result[] = [];
  readonly #warnings: string[] = [];
  readonly #onRefusal: OnRefusal;
  #left: number;
  #files = 0;
  #passedOver = 0;

  constructor(jobId: string, logs: readonly JobLog[], store: ResultStore, limits: JobLimits, onRefusal: OnRefusal) {
    this.#onRefusal = onRefusal;
    this.#jobId = jobId;
    this.#taken = new Set([...RESERVED, ...logs.map(({ id }) => id)]);
    this.#store = store;
    this.#limits = limits;
    this.#left = limits.resultBytes;
  }

  async despiteRefusal(what: string, keep: () => Promise<void>): Promise<void> {
    try {
      await keep();
    } catch (error) {
      if (this.#onRefusal === 'throw' || !(error instanceof EngineRefused)) throw error;
      this.#warn(`${what} was left out: ${error.message}`);
    }
  }

  async output(entry: OutputFile | OutputSkipped): Promise<void> {
    if ('reason' in entry) {
      this.#warn(`${JSON.stringify(entry.path)} was left out: ${entry.reason}`);
      return;
    }
    if (this.#files >= this.#limits.resultFiles) {
      this.#warn(`${JSON.stringify(entry.path)} was left out: more than ${String(this.#limits.resultFiles)} files`);
      entry.content.resume();
    } else if (entry.size > this.#left) {
      this.#warn(`${JSON.stringify(entry.path)} was left out: its ${String(entry.size)} bytes are over what is left of the ${String(this.#limits.resultBytes)} kept of a job`);
      entry.content.resume();
    } else {
      this.#files += 1;
      await this.keep(this.#take(entry.path), mediaType(entry.path), entry.content);
    }
  }

  /** The id of an output file: its path, with the folder's name in front as often as it takes to be the only one. */
  #take(path: string): string {
    let id = path;
    while (this.#taken.has(id)) id = `output/${id}`;
    this.#taken.add(id);
    return id;
  }

  async keep(id: string, type: string, content: OutputFile['content']): Promise<void> {
    // it may break off while nobody reads it: then the reader is told, and nobody else is to be
    content.on('error', () => undefined);
    try {
      const { size, digest } = await this.#store.write(this.#jobId, id, content, this.#left);
      this.#left -= size;
      this.#results.push({ id, mediaType: type, size, digest });
    } catch (error) {
      content.destroy();
      if (!(error instanceof GatewayError && error.code === 'TooLarge')) throw error;
      this.#warn(error.message);
    }
  }

  collected(): Collected {
    const more = this.#passedOver > 0 ? [`and ${String(this.#passedOver)} more`] : [];
    return { results: this.#results, warnings: [...this.#warnings, ...more] };
  }

  #warn(text: string): void {
    if (this.#warnings.length < MOST_WARNINGS) this.#warnings.push(text);
    else this.#passedOver += 1;
  }
}

/** By the name alone, and never a type that a browser would run: results are also served as attachments. */
function mediaType(path: string): string {
  if (/\.fits?(\.gz)?$/i.test(path)) return 'application/fits';
  if (/\.(vot|votable)$/i.test(path)) return 'application/x-votable+xml';
  const name = path.slice(path.lastIndexOf('/') + 1);
  const type = lookup(name);
  return type === false ? 'application/octet-stream' : type;
}
