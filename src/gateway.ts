import { join } from 'node:path';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { CONTROL_SOCKET, type GatewayStatus } from './control/gateway-status.ts';
import { serveControl } from './control/serve-control.ts';
import { DockerEngine } from './engine/docker-engine.ts';
import { DockerPreflight, preflightRefusal } from './engine/docker-preflight.ts';
import { DockerProjects } from './engine/docker-projects.ts';
import { EngineFacts } from './engine/engine-facts.ts';
import { lackingOf, relaxationRefusal, type RuleNeeds } from './engine/rule-needs.ts';
import { isTemporary } from './errors.ts';
import { DiskSpace } from './execution/disk-space.ts';
import { WorkEngine } from './engine/work-engine.ts';
import { Execution } from './execution/execution.ts';
import { JobProgress } from './execution/job-progress.ts';
import { createApp } from './http/app.ts';
import { openApiDocument, openApiRoutes } from './http/openapi.ts';
import { trustedProxies } from './http/client-address.ts';
import { listen } from './http/listening.ts';
import { createIdentity, type Identity } from './identity/create-identity.ts';
import { siteKey, SignedLinks } from './identity/signed-links.ts';
import { SecretBox } from './job/secret-box.ts';
import type { Logger } from './logger.ts';
import { mostGpus, ruleNeeds, siteDefaults, siteOffer, siteResources } from './site-offer.ts';
import type { ComposeFetch } from './planner/compose-platform.ts';
import { httpComposeFile } from './planner/http-compose-file.ts';
import { httpPeer } from './planner/http-peer.ts';
import { httpProbe } from './planner/http-probe.ts';
import { plannerApi } from './planner/planner-api.ts';
import { plannerCapability } from './planner/record.ts';
import { plannerRoutes } from './planner/routes.ts';
import { pullCredentials } from './pull-credentials.ts';
import { createPolicy } from './policy/create-policy.ts';
import { DecisionMemory } from './policy/decision-memory.ts';
import { JsonAuditLog } from './policy/json-audit-log.ts';
import { JsonBaseStore } from './policy/json-base-store.ts';
import type { PolicyHolder } from './policy/policy-holder.ts';
import { ProcessVerifier } from './policy/process-verifier.ts';
import { CallerPolicy } from './quota/caller-policy.ts';
import { Quotas } from './quota/quotas.ts';
import { runningLimits } from './quota/running-limits.ts';
import { createRegistry, type RegistriesConfig } from './registry/create-registry.ts';
import { dataFolder, freeSpace, storeSize } from './store/disk-state.ts';
import { FileResultStore } from './store/file-result-store.ts';
import { refuseHalfRestored, tidyRestores } from './store/interrupted-restore.ts';
import type { JobStore } from './store/job-store.ts';
import { SqliteDatabase } from './store/sqlite-database.ts';
import { SqliteJobStore } from './store/sqlite-job-store.ts';
import { SqlitePulledImages } from './store/sqlite-pulled-images.ts';
import { SqliteUsageStore } from './store/sqlite-usage-store.ts';
import { UntrustedFetch } from './untrusted-fetch.ts';
import type { Relaxations } from './task/relaxations.ts';
import { jobTypeRoutes } from './uws/job-type-routes.ts';
import { LIST_PARAMETERS } from './uws/list-parameters.ts';
import { uwsParts } from './uws/parts.ts';
import { uwsRoutes } from './uws/uws-routes.ts';
import { serviceApi } from './uws/service-api.ts';
import { JobUrls } from './uws/urls.ts';
import { uwsApi } from './uws/uws-api.ts';
import { vosiRoutes } from './uws/vosi.ts';
import { startStandAlone } from './stand-alone.ts';
import { VERSION } from './version.ts';

/** Bytes of a request's body: a task with its parameters, not data. */
const BODY_LIMIT = 1024 * 1024;

/** Between two looks at the tags of approved bases (milliseconds). */
const BASES_REFRESH = 10 * 60_000;

/** In which the engine has to say, at a question, what it has (milliseconds). */
const PREFLIGHT_WITHIN = 3000;

/** A gateway that serves. */
export interface Gateway {
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly address: string;
  /** Absent = it runs nothing itself. */
  readonly policy?: PolicyHolder;
  /** Resolves with the reason when it can do nothing useful any more before it is started again. Absent = never. */
  readonly failed?: Promise<unknown>;
  /** Takes no new jobs and starts none; what runs goes on, for `abortAfter` seconds at most where that is given. */
  drain(abortAfter?: number): void;
  /**
   * Answers what is under way and lets go of everything. Containers run on and are picked up by the next start.
   */
  stop(): Promise<void>;
}

/** The one place where everything is made and wired. Throws where the store or the place to listen cannot be had. */
export async function startGateway(config: Config, clock: Clock, logger: Logger): Promise<Gateway> {
  if (config.planner.standAlone) return { ...(await startStandAlone(config, clock, logger)), drain: () => undefined };
  await dataFolder(config.data);
  await refuseHalfRestored(config.data);
  const database = new SqliteDatabase(join(config.data, 'jobs.db'));
  await tidyRestores(config.data);
  const store = new SqliteJobStore(database);
  const usage = new SqliteUsageStore(database);
  const registry = createRegistry(withCache(config), clock, logger);
  const preflight = new DockerPreflight(config.engine, process.env, clock);
  const docker = { config: config.engine, gateway: config.engine.gateway ?? database.gateway, clock, environment: process.env, credentials: pullCredentials(config.registries, config.registryClient.dockerConfig) };
  const engine = new WorkEngine(new DockerEngine({ ...docker, preflight }), new DockerProjects(docker));
  const facts = new EngineFacts(engine);
  const site = siteDefaults(config, () => facts.known);
  const audit = new JsonAuditLog(join(config.data, 'audit.jsonl'), clock, logger);
  const policy = await createPolicy(config.policy, {
    registry,
    platform: (signal) => facts.platform(signal),
    clock,
    logger,
    site,
    baseStore: new JsonBaseStore(join(config.data, 'bases.json')),
    audit,
    verifier: new ProcessVerifier(clock),
    asked: config.registries.map(({ host }) => host),
  });
  const rights = config.identity?.anonymous ?? { ask: true, run: true, reasons: true };
  const quotas = new Quotas({ config: config.quotas, store, usage, clock, anonymous: rights });
  const judge = new DecisionMemory(new CallerPolicy({ judge: policy, quotas: config.quotas, reasons: rights.reasons, lacks: (task, signal) => lacksFor(task?.relaxed, preflight, signal) }));
  const space = new DiskSpace({
    budget: config.disk,
    state: { free: () => freeSpace(config.data), store: () => storeSize(join(config.data, 'jobs.db')), results: async () => (await store.holdings(undefined)).resultBytes },
    clock,
    logger,
  });
  const execution = new Execution({
    store,
    closed: () => space.closure,
    results: new FileResultStore(join(config.data, 'results')),
    usage,
    engine,
    policy: judge,
    decisions: judge,
    secrets: new SecretBox(await siteKey(join(config.data, 'secret-key'))),
    admission: quotas,
    mayStart: runningLimits(config.quotas),
    clock,
    logger,
    limits: { ...config.jobs, resultBytes: config.jobs.results.bytes, resultFiles: config.jobs.results.files },
    archive: config.jobs.archive,
    keepUsage: config.usage.keep,
    lease: config.jobs.lease,
    pulls: config.jobs.pulls,
    images: new SqlitePulledImages(database),
    imageBudget: config.jobs.images,
    disk: { limit: config.engine.outputBytes, every: config.engine.outputLook },
    offer: async () => siteOffer(config, await facts.description()),
    resolveTag: async (reference, signal, logins) => (logins === undefined ? registry : registry.as(logins)).resolve(reference, await facts.platform(signal), signal),
  });
  const progress = new JobProgress({ store, usage, engine, clock, standstill: () => execution.standstill });
  const links = new SignedLinks(await siteKey(join(config.data, 'link-key')));
  const lists = (['docker', 'compose'] as const).map((list) => uwsParts({
    list,
    baseUrl: config.baseUrl,
    service: execution.services[list],
    watch: execution.watch,
    progress,
    clock,
    logger,
    wait: { cap: config.wait.longest, waiters: config.wait.waiters, each: config.wait.each },
    bodyLimit: BODY_LIMIT,
    links,
  }));
  const jobTypes = lists.map(({ list, urls }) => ({ list, url: urls.list, limits: config.jobs, defaults: { cores: config.jobs.defaultCores, memory: config.jobs.defaultMemory } }));
  const fetch = new UntrustedFetch(clock);
  const identity = config.identity === undefined ? undefined : await createIdentity(config.identity, { fetch, clock, logger, baseUrl: config.baseUrl });
  const app = createApp({
    logger,
    clock,
    ...known(identity),
    origin: new URL(config.baseUrl).origin,
    hosts: config.listen.hosts,
    cors: config.cors,
    proxies: trustedProxies(config.listen.trustedProxies),
    hsts: config.listen.hsts,
    routers: [
      plannerRoutes({
        baseUrl: config.baseUrl,
        policy: judge,
        refuseCaller: (caller) => quotas.refusal(caller),
        tellsReasons: (caller) => caller.id !== null || rights.reasons,
        closed: () => execution.closure,
        excess: (caller, task) => quotas.excess(caller, { create: true, run: true, task }),
        admitQuestion: (caller, address) => quotas.ask(caller, address),
        clock,
        logger,
        config: config.planner,
        jobList: new JobUrls(config.baseUrl, 'docker').list,
        ...(config.planner.compose ? { compose: { policy: judge, jobList: new JobUrls(config.baseUrl, 'compose').list, promised: (work) => execution.promised(work), ...fetchedFiles(config, fetch) } } : {}),
        bodyLimit: BODY_LIMIT,
        moment: 1000,
        site: () => ({ ...siteResources(config, site), gpus: mostGpus(policy.policy, preflight.known) }),
        estimateStartup: (task, caller) => execution.startup.of(task, caller),
        probe: httpProbe(fetch),
        askPeer: httpPeer(fetch),
      }),
      ...lists.map(uwsRoutes),
      vosiRoutes({
        baseUrl: config.baseUrl,
        lists: lists.map(({ list, urls }) => ({ url: urls.list, parameters: LIST_PARAMETERS[list].descriptions })),
        others: [plannerCapability(config.baseUrl)],
        upSince: clock.now(),
        ...(identity === undefined ? {} : { logIn: { ...identity, anonymous: rights.run } }),
        availability: async () => {
          if (execution.closure !== undefined) return { available: false, notes: [execution.closure.text] };
          const answers = await engine.describe(AbortSignal.timeout(2000)).then(() => true, () => false);
          return answers ? { available: true, notes: [] } : { available: false, notes: ['the container engine does not answer; jobs wait until it does'] };
        },
      }),
      jobTypeRoutes(jobTypes),
      openApiRoutes(openApiDocument(config.baseUrl, VERSION, [...jobTypes.map(uwsApi), plannerApi({ record: config.planner.record !== undefined }), serviceApi({ tokens: identity?.protectedResource !== undefined })])),
    ],
  });
  const closing = new AbortController();
  await space.start();
  const listening = await listen(app.callback(), config.listen, clock, logger);
  for (const warning of policy.warnings()) logger.warn({ policy: policy.policy.hash }, warning);
  const bases = policy.catalogue.run(BASES_REFRESH, closing.signal);
  await execution.start();
  const control = await serveControl(join(config.data, CONTROL_SOCKET), {
    drain: (abortAfter) => {
      logger.info({ abortAfter }, 'draining: no new jobs are taken or started');
      execution.drain(abortAfter);
    },
    resume: () => {
      logger.info({}, 'the drain is over: jobs are taken and started again');
      execution.resume();
    },
    status: async () => statusOf(execution, await execution.running(), await store.count()),
  }).catch((error: unknown) => logger.warn({ err: error }, '`pratique drain` cannot reach this gateway; SIGUSR2 does'));
  void tellPreflight(preflight, ruleNeeds(policy.policy), logger);
  return {
    address: listening.address,
    policy,
    failed: database.failed,
    drain: (abortAfter) => execution.drain(abortAfter),
    stop: async () => {
      for (const { waiting, connections } of lists) {
        waiting.close();
        connections.close();
      }
      await control?.();
      const closed = listening.close();
      await execution.stop();
      await space.stop();
      await closed;
      closing.abort();
      await bases;
      await policy.catalogue.close();
      await audit.flush().catch((error: unknown) => logger.error({ err: error }, 'the last decisions could not be recorded'));
      await registry.close();
      await identity?.close();
      await fetch.close();
      preflight.close();
      await engine.close();
      await store.close();
    },
  };
}

/** Documents of registries outlive the process in the data folder, unless the configuration names another place. */
function withCache({ data, registries, registryClient }: Config): RegistriesConfig {
  return { registries, registryClient: { ...registryClient, cacheDirectory: registryClient.cacheDirectory ?? join(data, 'registry') } };
}

/** How compose files are had that a question names by URL, where there are hosts from which they may be. */
function fetchedFiles({ planner }: Config, fetch: UntrustedFetch): { readonly fetchFile?: ComposeFetch } {
  return planner.composeHosts.length === 0 ? {} : { fetchFile: httpComposeFile(fetch, planner.composeHosts) };
}

/** Says what the engine lacks, as soon as it answers; without an engine the gateway serves all the same. */
async function tellPreflight(preflight: DockerPreflight, rules: readonly RuleNeeds[], logger: Logger): Promise<void> {
  const report = await preflight.ask().catch(() => undefined);
  if (report !== undefined) {
    for (const { rule, relaxed } of rules) for (const lacking of lackingOf(relaxed, report)) logger.error({ rule, lacking }, 'the engine lacks what a rule gives its containers');
  }
  for (const { name, needed, found } of report?.checks.filter(({ has }) => !has) ?? []) logger[needed ? 'error' : 'info']({ check: name, found }, needed ? 'the engine lacks what jobs need' : 'the engine does not have this');
}

function statusOf({ draining, closure }: Execution, active: number, phases: Awaited<ReturnType<JobStore['count']>>): GatewayStatus {
  return { draining, active, queued: phases.QUEUED ?? 0, ...(closure === undefined ? {} : { closed: closure.text }) };
}

/** An engine that is away, or does not say in time what it has, is no reason: jobs wait for it. */
async function lacksFor(relaxed: Relaxations | undefined, preflight: DockerPreflight, signal: AbortSignal): Promise<string | undefined> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(PREFLIGHT_WITHIN)]);
  const known = await preflight.ask(within).catch((error: unknown) => {
    if (isTemporary(error) || within.aborted) return undefined;
    throw error;
  });
  return known === undefined ? undefined : (preflightRefusal(known) ?? relaxationRefusal(relaxed, known));
}

function known(identity: Identity | undefined): { identify?: Identity['identify']; challenges?: Identity['challenges'] } {
  return identity === undefined ? {} : { identify: identity.identify, challenges: identity.challenges };
}
