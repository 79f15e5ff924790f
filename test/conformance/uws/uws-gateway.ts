import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { watched } from '../../../src/execution/job-watch.ts';
import { JobProgress } from '../../../src/execution/job-progress.ts';
import type { ExecutionParts } from '../../../src/execution/execution.ts';
import { type AppParts, createApp } from '../../../src/http/app.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import type { Job, JobListName } from '../../../src/job/job.ts';
import type { Phase } from '../../../src/job/phase.ts';
import { createLogger } from '../../../src/logger.ts';
import { plannerCapability } from '../../../src/planner/record.ts';
import { LIST_PARAMETERS } from '../../../src/uws/list-parameters.ts';
import { type UwsParts, uwsParts } from '../../../src/uws/parts.ts';
import { jobTypeRoutes } from '../../../src/uws/job-type-routes.ts';
import { uwsRoutes } from '../../../src/uws/uws-routes.ts';
import { type Availability, vosiRoutes } from '../../../src/uws/vosi.ts';
import type { WaitLimits } from '../../../src/uws/wait.ts';
import { LIMITS, TestExecution } from '../../support/execution.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Answer, HttpClient, type Sent } from '../../support/http-client.ts';
import { jobWith } from '../../support/jobs.ts';

export const PUBLIC_URL = 'https://vo.example.org/pratique';
export const LIST = `${PUBLIC_URL}/uws/docker`;
export const IMAGE = 'registry.test/tools/one:1';

export interface GatewayOptions {
  readonly wait?: WaitLimits;
  readonly bodyLimit?: number;
  readonly identify?: AppParts['identify'];
  readonly origins?: readonly string[];
  readonly execution?: Partial<ExecutionParts>;
}

/** The UWS face over real HTTP, a real store and an engine driven by hand; time stands still until a test moves it. */
export class UwsGateway {
  readonly clock = new FakeClock();
  readonly jobs: TestExecution;
  readonly options: GatewayOptions;
  availability: Availability = { available: true, notes: [] };
  parts!: UwsParts;
  /** Of the list of compose files. */
  compose!: UwsParts;
  client!: HttpClient;
  server!: Server;

  constructor(options: GatewayOptions = {}) {
    this.options = options;
    this.jobs = new TestExecution(this.clock, options.execution);
  }

  get engine(): TestExecution['engine'] {
    return this.jobs.engine;
  }

  get policy(): TestExecution['policy'] {
    return this.jobs.policy;
  }

  async start(): Promise<void> {
    await this.jobs.start();
    await this.#serve();
  }

  async stop(): Promise<void> {
    await this.#close();
    await this.jobs.remove();
  }

  /** The process ends, `meanwhile` happens, another process starts on what the first has left. */
  async restart(meanwhile: () => void): Promise<void> {
    await this.#close();
    await this.jobs.stop();
    meanwhile();
    await this.start();
  }

  async #serve(): Promise<void> {
    const { services, watch } = this.jobs.execution;
    const progress = new JobProgress({ store: this.jobs.store, usage: this.jobs.usage, engine: this.jobs.engine, clock: this.clock, standstill: () => this.jobs.execution.standstill });
    const { wait = { cap: 60, waiters: 1000 }, bodyLimit = 1_000_000, identify, origins = [] } = this.options;
    const of = (list: JobListName): UwsParts => uwsParts({ list, baseUrl: PUBLIC_URL, service: services[list], watch, progress, clock: this.clock, logger: createLogger('silent'), wait, bodyLimit });
    this.parts = of('docker');
    this.compose = of('compose');
    const lists = [this.parts, this.compose];
    const types = lists.map(({ list, urls }) => ({ list, url: urls.list, limits: LIMITS, defaults: { cores: 1, memory: 2 ** 29 } }));
    const vosi = vosiRoutes({ baseUrl: PUBLIC_URL, lists: lists.map(({ list, urls }) => ({ url: urls.list, parameters: LIST_PARAMETERS[list].descriptions })), others: [plannerCapability(PUBLIC_URL)], upSince: this.clock.now(), availability: () => this.availability });
    const app = createApp({
      logger: createLogger('silent'), clock: this.clock, origin: new URL(PUBLIC_URL).origin, cors: { origins }, routers: [...lists.map(uwsRoutes), vosi, jobTypeRoutes(types)],
      ...(identify === undefined ? {} : { identify }),
    });
    this.server = createHttpServer(app.callback());
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.client = new HttpClient(`http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`, PUBLIC_URL);
  }

  async #close(): Promise<void> {
    this.client.close();
    this.parts.waiting.close();
    this.parts.connections.close();
    this.compose.waiting.close();
    this.compose.connections.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** A job made over HTTP; its path. */
  async create(form: Sent['form'] = { IMAGE }, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.client.post('/uws/docker', form, headers);
    if (answer.status !== 303) throw new Error(`not created: ${String(answer.status)} ${answer.text}`);
    return this.client.pathOf(answer.headers.location ?? '');
  }

  /** A job made over HTTP whose container runs. */
  async executing(form: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = await this.create({ IMAGE, PHASE: 'RUN', ...form });
    await this.reaches(path, 'EXECUTING');
    return path;
  }

  /** A job as if it had come to this phase. */
  async stored(fields: Partial<Job>): Promise<string> {
    const job = jobWith({ creationTime: this.clock.now(), destruction: this.clock.now() + 86_400_000, ...fields });
    await this.jobs.store.create(job);
    return `/uws/docker/${job.id}`;
  }

  /** The store as the program uses it: who waits is told of changes. */
  get store(): TestExecution['store'] {
    return watched(this.jobs.store, this.jobs.execution.watch) as TestExecution['store'];
  }

  /** Resolves when the job of this path is in the phase. */
  async reaches(path: string, phase: Phase): Promise<Job> {
    return this.jobs.inPhase(idOf(path), phase);
  }

  async phase(path: string): Promise<string> {
    return (await this.client.get(`${path}/phase`)).text;
  }
}

export function idOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A gateway for a suite; after each test every XML document that was seen is held against its schema. */
export function uwsGateway(options: GatewayOptions = {}): UwsGateway {
  const gateway = new UwsGateway(options);
  before(() => gateway.start());
  afterEach(() => gateway.client.checkDocuments());
  after(() => gateway.stop());
  return gateway;
}

export function expectRefused(answer: Answer, status: number, naming?: string): void {
  if (answer.status !== status) throw new Error(`${String(answer.status)} instead of ${String(status)}: ${answer.text.slice(0, 200)}`);
  if (!answer.headers['content-type']?.startsWith('text/plain')) throw new Error(`not plain text: ${String(answer.headers['content-type'])}`);
  if (naming !== undefined && !answer.text.includes(naming)) throw new Error(`${naming} is not named in: ${answer.text}`);
  if (!/^[A-Z]\w+: [^\n]+\n$/.test(answer.text)) throw new Error(`not one line with a code: ${JSON.stringify(answer.text)}`);
}
