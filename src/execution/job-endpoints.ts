import type { Duplex } from 'node:stream';
import type { Caller } from '../caller.ts';
import { type Engine, EngineRefused } from '../engine/engine.ts';
import { GatewayError } from '../errors.ts';
import type { Job } from '../job/job.ts';
import { type Endpoint, endpointsOf } from '../task/endpoints.ts';

/** Where somebody may soon listen. */
const RETRY = { 'Retry-After': '2' };

/** The ways into the jobs of one list, while they execute. Every method throws NotFound, Forbidden and EngineUnavailable as JobService does. */
export class JobEndpoints {
  readonly #engine: Engine;
  readonly #own: (id: string, caller: Caller) => Promise<Job>;

  /** `own`: the job, where it is the caller's own; throws otherwise. */
  constructor(engine: Engine, own: (id: string, caller: Caller) => Promise<Job>) {
    this.#engine = engine;
    this.#own = own;
  }

  /** A connection into a job of the caller's own. Throws as `check`, and Unavailable where the engine refuses. */
  async connect(id: string, endpoint: Endpoint, caller: Caller, signal: AbortSignal): Promise<Duplex> {
    await this.check(id, endpoint, caller);
    const connection = await this.#engine.connect(id, endpoint, signal).catch((error: unknown) => {
      throw error instanceof EngineRefused ? new GatewayError('Unavailable', `the job cannot be reached at present: ${error.message}`, { cause: error, headers: RETRY }) : error;
    });
    if (connection.destroyed) throw new GatewayError('Unavailable', 'nobody listens there (yet)', { headers: RETRY });
    return connection;
  }

  /** Throws NotFound where the job does not execute, or was not judged to serve there. */
  async check(id: string, { service, port }: Endpoint, caller: Caller): Promise<void> {
    const { phase, task } = await this.#own(id, caller);
    if (phase !== 'EXECUTING') throw new GatewayError('NotFound', 'the job does not execute, so it does not serve');
    if (!endpointsOf(task).some((each) => each.service === service && each.port === port)) throw new GatewayError('NotFound', 'the job does not serve here');
  }

  /** Where the job serves, and whether somebody listens there already; nothing of a job that does not execute. */
  async states({ id, phase, task }: Pick<Job, 'id' | 'phase' | 'task'>, signal: AbortSignal): Promise<readonly (Endpoint & { readonly ready: boolean })[]> {
    if (phase !== 'EXECUTING') return [];
    return Promise.all(endpointsOf(task).map(async (endpoint) => {
      const ready = await this.#engine.listens(id, endpoint, signal).catch((error: unknown) => {
        if (error instanceof EngineRefused) return false;
        throw error;
      });
      return { ...endpoint, ready };
    }));
  }
}
