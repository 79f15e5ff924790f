import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Router } from '@koa/router';
import { hashSync } from 'bcryptjs';
import { type Clock, SystemClock } from '../../../src/clock.ts';
import type { ExecutionParts } from '../../../src/execution/execution.ts';
import { createApp } from '../../../src/http/app.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import { openApiDocument, openApiRoutes } from '../../../src/http/openapi.ts';
import { createIdentity, type Identity } from '../../../src/identity/create-identity.ts';
import { identitySchema } from '../../../src/identity/identity-config.ts';
import { SignedLinks } from '../../../src/identity/signed-links.ts';
import type { Job, JobListName } from '../../../src/job/job.ts';
import { createLogger, type Logger } from '../../../src/logger.ts';
import { plannerApi } from '../../../src/planner/planner-api.ts';
import { plannerSchema } from '../../../src/planner/planner-config.ts';
import { plannerRoutes } from '../../../src/planner/routes.ts';
import { DecisionMemory } from '../../../src/policy/decision-memory.ts';
import { CallerPolicy, type CallerPolicyParts } from '../../../src/quota/caller-policy.ts';
import { quotaSchema } from '../../../src/quota/quota-config.ts';
import { Quotas } from '../../../src/quota/quotas.ts';
import { runningLimits } from '../../../src/quota/running-limits.ts';
import { UntrustedFetch } from '../../../src/untrusted-fetch.ts';
import { uwsParts } from '../../../src/uws/parts.ts';
import { uwsRoutes } from '../../../src/uws/uws-routes.ts';
import { vosiRoutes } from '../../../src/uws/vosi.ts';
import { jobTypeRoutes } from '../../../src/uws/job-type-routes.ts';
import { serviceApi } from '../../../src/uws/service-api.ts';
import { JobUrls } from '../../../src/uws/urls.ts';
import { uwsApi } from '../../../src/uws/uws-api.ts';
import { LIMITS, TestExecution } from '../../support/execution.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Answer, HttpClient } from '../../support/http-client.ts';
import { jobWith } from '../../support/jobs.ts';
import { JudgedSite, SITE } from '../../support/site-policy.ts';

export const PUBLIC_URL = 'https://vo.example.org/pratique';

export interface SiteOptions {
  /** Origins that may use the gateway from a browser. */
  readonly origins?: readonly string[];
  /** The section `quotas`. */
  readonly quotas?: unknown;
  /** Rules, over the images of `IMAGES`; absent = every image is accepted from everybody who may have jobs. */
  readonly policy?: string;
  /** What jobs and waiting go by; absent = time stands still. */
  readonly jobsClock?: Clock;
  /** Seconds that WAIT holds an answer at most. */
  readonly longestWait?: number;
  readonly logger?: Logger;
  /** What the engine lacks; absent = nothing. */
  readonly lacks?: CallerPolicyParts['lacks'];
  /** What all running jobs may have together. */
  readonly offer?: ExecutionParts['offer'];
  /** Names beside that of `PUBLIC_URL`. */
  readonly hosts?: readonly string[];
  /** The section `planner`. */
  readonly planner?: unknown;
}

/** Images that the registry in memory has. */
export const IMAGES = { open: 'registry.test/open/one:1', members: 'registry.test/members/one:1', unlisted: 'registry.test/other/one:1' } as const;

/** The gateway's HTTP face with a section `identity`, over a real store; what issuers say is held against `clock`. */
export class IdentityGateway {
  readonly clock: Clock;
  readonly judged = new JudgedSite();
  jobs!: TestExecution;
  identity: Identity | undefined;
  client!: HttpClient;
  /** The routes of each job list. */
  uws!: readonly Router[];
  readonly links = new SignedLinks(Buffer.alloc(32, 1));
  #server!: Server;
  #fetch!: UntrustedFetch;

  constructor(clock: Clock = new SystemClock()) {
    this.clock = clock;
  }

  async start(section: unknown, options: SiteOptions = {}): Promise<this> {
    const config = section === undefined ? undefined : identitySchema.parse(section);
    const rights = config?.anonymous ?? { ask: true, run: true, reasons: true };
    const [quotas, logger, clock] = [quotaSchema.parse(options.quotas), options.logger ?? createLogger('silent'), options.jobsClock ?? new FakeClock()];
    const admission = new Quotas({ config: quotas, clock, anonymous: rights, store: { waiting: (owner) => this.jobs.store.waiting(owner), holdings: (owner) => this.jobs.store.holdings(owner) }, usage: { cpu: (...of) => this.jobs.usage.cpu(...of), images: (...of) => this.jobs.usage.images(...of), kept: () => this.jobs.usage.kept() } });
    const policy = options.policy === undefined ? undefined : await this.#policy(options.policy, { quotas, reasons: rights.reasons, ...(options.lacks === undefined ? {} : { lacks: options.lacks }) });
    this.jobs = new TestExecution(clock, { admission, mayStart: runningLimits(quotas), ...(options.offer === undefined ? {} : { offer: options.offer }), ...(policy === undefined ? {} : { policy, decisions: policy }) });
    await this.jobs.start();
    this.#fetch = new UntrustedFetch(new SystemClock());
    this.identity = config === undefined ? undefined : await createIdentity(config, { fetch: this.#fetch, clock: this.clock, logger, baseUrl: PUBLIC_URL });
    const { services, watch } = this.jobs.execution;
    const lists = (['docker', 'compose'] as const).map((list) => uwsParts({ list, baseUrl: PUBLIC_URL, service: services[list], watch, clock, logger, wait: { cap: options.longestWait ?? 60, waiters: 100 }, bodyLimit: 100_000, links: this.links }));
    const jobList = (list: JobListName): string => new JobUrls(PUBLIC_URL, list).list;
    const planner = plannerRoutes({
      baseUrl: PUBLIC_URL, clock, logger, config: plannerSchema.parse(options.planner ?? {}), bodyLimit: 100_000, policy: policy ?? this.jobs.policy, jobList: jobList('docker'),
      compose: { policy: policy ?? this.jobs.policy, jobList: jobList('compose') },
      refuseCaller: (caller) => admission.refusal(caller), excess: (caller, task) => admission.excess(caller, { create: true, run: true, task }), admitQuestion: (caller, address) => admission.ask(caller, address),
      tellsReasons: (caller) => caller.id !== null || rights.reasons,
      site: () => ({ cores: { default: SITE.resources.cores, max: SITE.maximum.cores }, memory: { default: SITE.resources.memory, max: SITE.maximum.memory }, executionDuration: { default: 3600, max: 86_400 } }),
    });
    const logIn = this.identity === undefined ? {} : { logIn: { ...this.identity, anonymous: rights.run } };
    const vosi = vosiRoutes({ baseUrl: PUBLIC_URL, lists: lists.map(({ urls }) => ({ url: urls.list, parameters: [] })), upSince: 0, availability: () => ({ available: true, notes: [] }), ...logIn });
    this.uws = lists.map(uwsRoutes);
    const known = this.identity === undefined ? {} : { identify: this.identity.identify, challenges: this.identity.challenges };
    const jobTypes = lists.map(({ list, urls }) => ({ list, url: urls.list, limits: LIMITS, defaults: { cores: 1, memory: 2 ** 29 } }));
    const openApi = openApiRoutes(openApiDocument(PUBLIC_URL, '1', [...jobTypes.map(uwsApi), plannerApi({ record: false }), serviceApi({ tokens: this.identity?.protectedResource !== undefined })]));
    const app = createApp({ logger, clock: this.clock, origin: new URL(PUBLIC_URL).origin, hosts: options.hosts ?? [], cors: { origins: options.origins ?? [] }, routers: [...this.uws, planner, vosi, jobTypeRoutes(jobTypes), openApi], ...known });
    this.#server = createHttpServer(app.callback());
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.client = new HttpClient(this.origin, PUBLIC_URL);
    return this;
  }

  /** Where it listens. */
  get origin(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.#server.close();
    this.#server.closeAllConnections();
    await this.identity?.close();
    await this.#fetch.close();
    await this.jobs.remove();
    await this.client.checkDocuments();
  }

  /** As who the gateway knows the bearer of these credentials: its id, or the answer's status and what it says. */
  async knows(authorization: string): Promise<string> {
    const answer = await this.client.get('/uws/docker', { authorization });
    return answer.status === 200 ? String(answer.headers['x-vo-authenticated'] ?? 'anonymous') : said(answer);
  }

  /** The groups that a job of these credentials is created with. */
  async groups(authorization: string): Promise<readonly string[]> {
    const answer = await this.client.post('/uws/docker', {}, { authorization });
    const job = await this.jobs.store.get((answer.headers.location ?? '').split('/').at(-1) ?? '');
    if (job === undefined) throw new Error(said(answer));
    return job.groups;
  }

  /** A job as if it had come so far; the path of its resource. */
  async stored(fields: Partial<Job>): Promise<string> {
    const job = jobWith({ creationTime: this.jobs.clock.now(), destruction: this.jobs.clock.now() + 86_400_000, ...fields });
    await this.jobs.store.create(job);
    return `/uws/${job.list}/${job.id}`;
  }

  async #policy(yaml: string, parts: Omit<CallerPolicyParts, 'judge'>): Promise<DecisionMemory> {
    for (const image of Object.values(IMAGES)) this.judged.registry.put(image, { layers: ['a'] });
    await this.judged.start(yaml);
    return new DecisionMemory(new CallerPolicy({ ...parts, judge: this.judged.policy }));
  }
}

/** People with passwords, and their groups, in files that `remove` removes. */
export class People {
  readonly #folder = mkdtempSync(join(tmpdir(), 'pratique-people-'));
  readonly htpasswd: { readonly file: string; readonly groups: string };

  /** `people`: the groups of each. Everybody's password is `password of NAME`. */
  constructor(people: Readonly<Record<string, readonly string[]>>) {
    this.htpasswd = { file: join(this.#folder, 'users'), groups: join(this.#folder, 'groups') };
    writeFileSync(this.htpasswd.file, Object.keys(people).map((name) => `${name}:${hashSync(`password of ${name}`, 4)}\n`).join(''));
    const groups = [...new Set(Object.values(people).flat())];
    writeFileSync(this.htpasswd.groups, groups.map((group) => `${group}: ${Object.keys(people).filter((name) => people[name]?.includes(group)).join(' ')}\n`).join(''));
  }

  static authorization(name: string, password = `password of ${name}`): string {
    return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function said({ status, text }: Answer): string {
  return `${String(status)} ${text.trim()}`;
}
