import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Caller } from '../../../src/caller.ts';
import type { AppParts } from '../../../src/http/app.ts';
import { createApp } from '../../../src/http/app.ts';
import { createHttpServer } from '../../../src/http/server.ts';
import { createLogger } from '../../../src/logger.ts';
import { plannerSchema } from '../../../src/planner/planner-config.ts';
import { type PlannerRouteParts, plannerRoutes } from '../../../src/planner/routes.ts';
import { type Answer, HttpClient, type Sent } from '../../support/http-client.ts';
import { JudgedSite, SITE } from '../../support/site-policy.ts';

export const PUBLIC_URL = 'https://vo.example.org/pratique';
export const JOB_LIST = `${PUBLIC_URL}/uws/docker`;

/** A policy with an approved base, an image built on it, a look-alike, and one rule with lower limits. */
export const POLICY = `
bases:
  - name: blessed
    image: registry.test/base:1
rules:
  - name: small
    images: [registry.test/small/*]
    limits: { cores: 2, memory: 1G }
  - name: gpu
    images: [registry.test/gpu/*]
    run: { gpus: 2 }
  - name: members
    images: [registry.test/members/*]
    groups: [astronomers]
  - name: derived
    images: ['registry.test/tools/**', docker.io/library/example]
    base: [blessed]
`;

export interface PlannerOptions {
  /** The section \`planner\` of the configuration. */
  readonly config?: unknown;
  readonly policy?: string;
  readonly bodyLimit?: number;
  /** Runs nothing itself. */
  readonly standAlone?: boolean;
  readonly origins?: readonly string[];
  readonly parts?: Partial<PlannerRouteParts>;
}

/** Callers by their token, for tests in which it matters who asks. */
const CALLERS: Readonly<Record<string, Caller>> = {
  'Bearer astronomer': { id: 'ada', groups: ['astronomers'] },
  'Bearer stranger': { id: 'sam', groups: ['others'] },
};

/** The planner over real HTTP, with the real judge over a registry in memory. */
export class PlannerGateway {
  readonly site = new JudgedSite();
  readonly #options: () => PlannerOptions;
  readonly server: Server = createHttpServer((request, response) => this.#answer(request, response));
  #answer: (request: IncomingMessage, response: ServerResponse) => unknown = () => undefined;
  client!: HttpClient;

  /** Options as a function where they are known only when everything has started. */
  constructor(options: PlannerOptions | (() => PlannerOptions) = {}) {
    this.#options = typeof options === 'function' ? options : () => options;
  }

  /** Begins to listen, so that others can be told where; answers come from `start` on. */
  async listen(): Promise<void> {
    if (this.server.listening) return;
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.client = new HttpClient(this.origin, PUBLIC_URL);
  }

  async start(): Promise<void> {
    const { registry, clock } = this.site;
    const { config = {}, policy = POLICY, bodyLimit = 100_000, standAlone = false, origins = [], parts = {} } = this.#options();
    registry.put('registry.test/base:1', { layers: ['base'] });
    for (const name of ['registry.test/tools/derived:1', 'registry.test/small/one:1', 'registry.test/gpu/one:1', 'registry.test/members/one:1', 'docker.io/library/example:1.0']) registry.put(name, { layers: ['base', name] });
    registry.put('registry.test/tools/lookalike:1', { layers: ['other', 'top'] });
    await this.site.start(policy);
    await this.site.policy.catalogue.refresh();
    registry.asked.length = 0;
    const routes = plannerRoutes({
      baseUrl: PUBLIC_URL, clock, logger: createLogger('silent'), config: plannerSchema.parse(config), bodyLimit, policy: this.site.policy,
      site: () => ({ cores: { default: SITE.resources.cores, max: SITE.maximum.cores }, memory: { default: SITE.resources.memory, max: SITE.maximum.memory }, executionDuration: { default: 3600, max: 86_400 }, gpus: 4 }),
      ...(standAlone ? {} : { jobList: JOB_LIST }),
      ...parts,
    });
    const identify: AppParts['identify'] = async (ctx) => CALLERS[ctx.req.headers.authorization ?? ''] ?? { id: null, groups: [] };
    this.#answer = createApp({ logger: createLogger('silent'), clock, origin: new URL(PUBLIC_URL).origin, hosts: ['foo.example'], cors: { origins }, routers: [routes], identify }).callback();
    await this.listen();
  }

  get origin(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.server.close();
    this.server.closeAllConnections();
    await this.site.policy.catalogue.close();
  }

  /** What the registry was asked since the last time. */
  takeAsked(): readonly string[] {
    return this.site.registry.asked.splice(0);
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.client.get(path, headers);
  }

  /** The answer's document, which must be strict JSON. */
  async ask(query: string, headers: Readonly<Record<string, string>> = {}): Promise<EpAnswer> {
    return documentOf(await this.client.get(`/accepts?${query}`, headers));
  }

  async post(sent: Sent, path = '/accepts'): Promise<EpAnswer> {
    return documentOf(await this.client.send('POST', path, sent));
  }
}

/** The note's response, as a client sees it. */
export interface EpAnswer {
  readonly reponseword?: string;
  readonly servicetype?: string;
  readonly serviceinfo?: { readonly endpoint: string; readonly parameters?: Readonly<Record<string, string | readonly string[]>>; readonly [member: string]: unknown };
  readonly interfaces?: readonly { readonly servicetype: string; readonly serviceinfo: { readonly endpoint: string } }[];
  readonly resources?: Readonly<Record<string, string | number>>;
  readonly reponseinfo?: {
    readonly reasons?: readonly { readonly httpcode: number; readonly code: string; readonly path: string; readonly text: string; readonly rule?: string }[];
    readonly warnings?: readonly { readonly code: string; readonly path: string; readonly text: string }[];
    readonly decision?: { readonly id: string; readonly rule: string; readonly digest?: string; readonly base?: { readonly name: string; readonly digest: string } };
    readonly maybe?: { readonly kind: string; readonly how: string; readonly seconds: number };
  };
}

export function documentOf(answer: Answer): EpAnswer {
  if (answer.status !== 200) throw new Error(`status ${String(answer.status)}: ${answer.text.slice(0, 500)}`);
  return JSON.parse(answer.text) as EpAnswer;
}

/** The parameters of the offer, by name. */
export function offered(answer: EpAnswer): Readonly<Record<string, string | readonly string[]>> {
  return answer.serviceinfo?.parameters ?? {};
}

/** A planner for a suite. */
export function plannerGateway(options: PlannerOptions | (() => PlannerOptions) = {}): PlannerGateway {
  const gateway = new PlannerGateway(options);
  before(() => gateway.start());
  afterEach(() => gateway.client.checkDocuments());
  after(() => gateway.stop());
  return gateway;
}
