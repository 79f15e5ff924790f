import { Router } from '@koa/router';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Excess } from '../execution/admission.ts';
import type { Closure } from '../execution/closure.ts';
import type { PinnedWork } from '../task/project.ts';
import type { Policy, ProjectPolicy } from '../policy/policy.ts';
import type { Reason } from '../policy/verdict.ts';
import { AnswerCache } from './answer-cache.ts';
import { accepts, type AcceptsParts } from './accepts.ts';
import { type ComposeFetch, ComposePlatform } from './compose-platform.ts';
import { ContainerPlatform } from './container-platform.ts';
import { type SiteResources, UNKNOWN_SITE } from './container-resources.ts';
import { listServices } from './discovery.ts';
import { ExternalPlatform } from './external-platform.ts';
import { plannerMark } from './forwarding.ts';
import type { HealthProbe } from './health.ts';
import type { Platform } from './offer.ts';
import { type PeerFetch, PeerPlatform } from './peer-platform.ts';
import { Planner } from './planner.ts';
import type { PlannerConfig } from './planner-config.ts';
import { serveRecord } from './record.ts';
import { SoftwarePlatform } from './software-platform.ts';
import type { StartupEstimate } from './startup.ts';

/** What the Execution Planner is made of. */
export interface PlannerRouteParts {
  /** The gateway's public URL, without a slash at its end. */
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: PlannerConfig;
  /** Bytes of a request body at most. */
  readonly bodyLimit: number;
  /** Who judges containers; absent, or without a job list = this planner runs none. */
  readonly policy?: Policy;
  /** Absolute URL of the list of container jobs; absent = this planner runs nothing itself and speaks for others only. */
  readonly jobList?: string;
  /** Who judges compose files, and the absolute URL of the list of their jobs; absent = this planner runs none. */
  readonly compose?: { readonly policy: ProjectPolicy; readonly jobList: string; /** Absent = no file is taken by its URL. */ readonly fetchFile?: ComposeFetch; readonly promised?: (work: PinnedWork) => void };
  /** What the site gives one job; absent, or undefined as long as it is not known = only the policy decides. */
  readonly site?: () => SiteResources | undefined;
  /** Why this caller may have no jobs at all, as at their creation; absent = only the policy decides. */
  readonly refuseCaller?: (caller: Caller) => Reason | undefined;
  /** Whether this caller is told why an answer is no, and by which rule it is yes; absent = everybody is. */
  readonly tellsReasons?: AcceptsParts['tellsReasons'];
  /** Why nobody's jobs are taken at present; undefined = they are. Absent = always. */
  readonly closed?: () => Closure | undefined;
  /** What a quota says to one more job of this caller, of this work where it is known; undefined = nothing. Absent = there are none. */
  readonly excess?: (caller: Caller, work: PinnedWork | null) => Promise<Excess | undefined>;
  /** Throws where this caller may not ask, or not as much. Absent = everybody may. */
  readonly admitQuestion?: AcceptsParts['admitQuestion'];
  /** Milliseconds for which the answer to a GET is given again to who asks the same; absent = 0. */
  readonly moment?: number;
  /** Absent = nobody can say when a job would start, and a question with maxstartup is answered NO. */
  readonly estimateStartup?: StartupEstimate;
  /** Asks other planners; absent = no question is forwarded. */
  readonly askPeer?: PeerFetch;
  /** Asks other platforms whether they are alive; absent = one that has to prove it is not offered. */
  readonly probe?: HealthProbe;
}

/** Every URL of the Execution Planner. GET answers HEAD too; the note's POST examples write /accept (execution-planner.md 1.5, 2). */
export function plannerRoutes(parts: PlannerRouteParts): Router {
  const url = `${parts.baseUrl}/accepts`;
  const mark = plannerMark(parts.baseUrl);
  const running = new Planner(platforms(parts), mark);
  const planner = SoftwarePlatform.canRun(running) ? new Planner([...running.platforms, new SoftwarePlatform(running, url)], mark) : running;
  const answers = new AnswerCache(parts.clock, parts.moment ?? 0);
  const handlers: AcceptsParts = { planner, url, bodyLimit: parts.bodyLimit, answers, ...(parts.closed === undefined ? {} : { closed: parts.closed }), ...(parts.admitQuestion === undefined ? {} : { admitQuestion: parts.admitQuestion }), ...(parts.tellsReasons === undefined ? {} : { tellsReasons: parts.tellsReasons }) };
  const router = new Router({ sensitive: true });
  router.get('/accepts', accepts(handlers));
  router.post('/accepts', accepts(handlers));
  router.get('/accept', accepts(handlers));
  router.post('/accept', accepts(handlers));
  router.get('/services.json', listServices(handlers));
  if (parts.config.record !== undefined) router.get('/record', serveRecord(parts.config.record, { ...parts, updated: parts.clock.now() }));
  return router;
}

function platforms(parts: PlannerRouteParts): readonly Platform[] {
  const { jobList, compose, policy, site, refuseCaller, closed, excess, estimateStartup, clock, probe, askPeer } = parts;
  const mark = plannerMark(parts.baseUrl);
  const peers = askPeer === undefined ? [] : parts.config.peers.map((peer) => new PeerPlatform(peer, { mark, fetch: askPeer }));
  const common = { site: () => site?.() ?? UNKNOWN_SITE, data: parts.config.data, ...(refuseCaller === undefined ? {} : { refuseCaller }), ...(closed === undefined ? {} : { closed }), ...(excess === undefined ? {} : { excess }) };
  const own =
    jobList === undefined || policy === undefined
      ? []
      : [new ContainerPlatform({ policy, jobListUrl: jobList, ...common, ...(estimateStartup === undefined ? {} : { estimateStartup }), ...(compose === undefined ? {} : { wrap: { policy: compose.policy, jobListUrl: compose.jobList } }) })];
  const composed = compose === undefined ? [] : [new ComposePlatform({ policy: compose.policy, jobListUrl: compose.jobList, ...common, ...(compose.fetchFile === undefined ? {} : { fetchFile: compose.fetchFile }), ...(compose.promised === undefined ? {} : { promised: compose.promised }) })];
  return [...own, ...composed, ...parts.config.services.map((service) => new ExternalPlatform(service, { clock, ...(probe === undefined ? {} : { probe }) })), ...peers];
}
