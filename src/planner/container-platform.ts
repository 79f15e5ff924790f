import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import type { Policy } from '../policy/policy.ts';
import type { Reason, Verdict } from '../policy/verdict.ts';
import { parseContainerParameters } from '../task/container-parameters.ts';
import type { GivenParameter } from '../task/parameter.ts';
import { formatPinnedParameters } from '../task/pinned-parameters.ts';
import type { ContainerTask, OfferedResources, Task } from '../task/task.ts';
import { grantedDuration, grantedRanges, offeredRanges, resourceWarnings, shortfalls, type SiteResources, wanted } from './container-resources.ts';
import { closedAnswer, excessAnswer } from './closed-answer.ts';
import { atQuestion, type ContainerMembers, readContainerMembers } from './container-task.ts';
import { dataReasons, readDataReferences } from './data-access.ts';
import type { JobPlatformParts } from './job-platform.ts';
import type { Answer, Info, NoReason, Platform, ServiceInterface } from './offer.ts';
import type { Details } from './question.ts';
import { type AskedResources, parseResources, type Ranges } from './resources.ts';
import { startupAnswer, type StartupEstimate } from './startup.ts';
import { wrapContainer, type WrapParts } from './wrapped-container.ts';

export interface ContainerPlatformParts extends JobPlatformParts {
  readonly policy: Policy;
  /** Absent = nobody can say when a job would start. */
  readonly estimateStartup?: StartupEstimate;
  /** The other way to run the same: absent = there is none. */
  readonly wrap?: WrapParts;
}

/** The note's own family of type identifiers, and the one it recommends to the ESCAPE community (§2): asked in one, answered in it. */
const FAMILIES = ['uri://', 'http://purl.escape.eu/types/'];
const TASK = 'docker-container';
const SERVICE = 'docker-uws';
const WRAPPED_SERVICE = 'compose-uws';

/** What one question asks for, and of whom. */
interface Context {
  readonly asked: AskedResources;
  readonly site: SiteResources;
}

/** Pratique's own answer to `uri://docker-container` (note §4.1): "can I run a container here", and "can I run this one". */
export class ContainerPlatform implements Platform {
  readonly name = SERVICE;
  readonly description = 'UWS 1.1 job list that runs containers whose images the policy of this site accepts';
  readonly tasktypes = FAMILIES.map((family) => family + TASK);
  readonly servicetypes = FAMILIES.map((family) => family + SERVICE);
  readonly endpoint: string;
  readonly #parts: ContainerPlatformParts;

  constructor(parts: ContainerPlatformParts) {
    this.#parts = parts;
    this.endpoint = parts.jobListUrl;
  }

  async decide(tasktype: string, details: Details, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const stranger = this.#parts.refuseCaller?.(caller);
    if (stranger !== undefined) return { word: 'NO', reasons: [shownReason(stranger)], warnings: [] };
    const closure = this.#parts.closed?.();
    if (closure !== undefined) return closedAnswer(closure);
    const members = readContainerMembers(details.taskinfo);
    const asked = parseResources(details.resources);
    const common = { warnings: [...members.warnings, ...asked.warnings, ...resourceWarnings(asked.ranges)], shortDurations: asked.shortDurations };
    const site = this.#parts.site();
    const offered = offeredRanges(site, undefined);
    const short = shortfalls(asked.ranges, offered);
    const missing = dataReasons(readDataReferences(details.taskinfo['data'], 'taskinfo.data'), this.#parts.data, caller, 'this site');
    if (short.length > 0) return { word: 'NO', reasons: [...short, ...missing], resources: offered, ...common };
    if (missing.length > 0) return { word: 'NO', reasons: missing, ...common };
    const servicetype = tasktype.slice(0, -TASK.length) + SERVICE;
    const answer = members.hasImage
      ? await this.#decideImage(servicetype, members, { asked, site }, caller, signal)
      : await this.#decideAny(servicetype, { asked, site }, caller, signal);
    return { ...answer, ...common, warnings: [...common.warnings, ...answer.warnings] };
  }

  /** "Can I run a container here?" */
  async #decideAny(servicetype: string, context: Context, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const reasons = await this.#parts.policy.general(caller, signal);
    if (reasons.length > 0) return { word: 'NO', reasons: reasons.map(shownReason), warnings: [] };
    const excess = await this.#parts.excess?.(caller, null);
    if (excess !== undefined) return excessAnswer(excess);
    const { cores, memory } = context.site;
    const want = wantedResources(context, mostOf(context.site));
    const resources = { ...want, cores: want.cores ?? cores.default, memory: want.memory ?? memory.default };
    const offer = this.#offer(servicetype, [], resources, context);
    const interfaces = [offer, ...(want.gpus === undefined ? this.#wrapped(servicetype, [], resources, context) : [])];
    return { word: 'YES', interfaces, warnings: [] };
  }

  /** "Can I run this container here?" */
  async #decideImage(servicetype: string, members: ContainerMembers, context: Context, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const task = parseTask(members);
    if (!('type' in task)) return { word: 'NO', reasons: [task], warnings: [] };
    const verdict = await this.#judge(task, context, caller, signal);
    if (!verdict.accepted) {
      const resources = verdict.reasons.some(({ code }) => code.startsWith('resources.')) ? { resources: offeredRanges(context.site, verdict.offered) } : {};
      return { word: 'NO', reasons: verdict.reasons.map(shownReason), decision: { decision: verdict.decision }, warnings: [], ...resources };
    }
    const warnings = (verdict.warnings ?? []).map(({ code, path, text }) => ({ code, path: questionPath(path), text }));
    const decision = { decision: verdict.decision, digest: verdict.task.image.manifestDigest };
    const excess = await this.#parts.excess?.(caller, verdict.task);
    if (excess !== undefined) return { ...excessAnswer(excess), decision, warnings };
    const late = await startupAnswer(this.#parts.estimateStartup, verdict.task, caller, context.asked.ranges.startup);
    if (late.answer !== undefined) return { ...late.answer, decision, warnings };
    const parameters = [...formatPinnedParameters(verdict.task), { name: 'DECISION', value: verdict.decision.id }];
    const { resources, relaxed } = verdict.task;
    const granted = { ...resources, ...(relaxed?.gpus === undefined ? {} : { gpus: relaxed.gpus }) };
    const offer = this.#offer(servicetype, parameters, granted, context, late.startup);
    // What a rule relaxes it relaxes for containers that are run as such.
    const wrapped = this.#parts.wrap === undefined || relaxed !== undefined ? undefined : await wrapContainer(verdict.task, task.logins, this.#parts.wrap, caller, signal);
    const interfaces = [offer, ...(wrapped === undefined ? [] : this.#wrapped(servicetype, wrapped, resources, context, late.startup))];
    return { word: 'YES', interfaces, decision, warnings };
  }

  /** Asks for what the task can use; where the rule gives less, for what the rule gives, as long as that is enough. */
  async #judge(task: ContainerTask, context: Context, caller: Caller, signal: AbortSignal): Promise<Verdict> {
    const { asked, site } = context;
    const want = wantedResources(context, mostOf(site));
    const verdict = await this.#parts.policy.evaluate({ ...task, ...want }, caller, signal);
    if (verdict.accepted || verdict.offered === undefined || verdict.reasons.some(({ code }) => !code.startsWith('resources.'))) return verdict;
    if (shortfalls(asked.ranges, offeredRanges(site, verdict.offered)).length > 0) return verdict;
    return this.#parts.policy.evaluate({ ...task, ...wantedResources(context, verdict.offered) }, caller, signal);
  }

  /** The same container as a compose file, where those are run too. */
  #wrapped(servicetype: string, parameters: readonly GivenParameter[], resources: OfferedResources, context: Context, startup?: Ranges): readonly ServiceInterface[] {
    const { wrap } = this.#parts;
    if (wrap === undefined) return [];
    return [{ ...this.#offer(servicetype.slice(0, -SERVICE.length) + WRAPPED_SERVICE, parameters, resources, context, startup), endpoint: wrap.jobListUrl }];
  }

  /** What a program needs to run the task: where, how, and with which parameters. */
  #offer(servicetype: string, parameters: readonly GivenParameter[], resources: OfferedResources, { asked, site }: Context, startup: Ranges = {}): ServiceInterface {
    const duration = grantedDuration(asked.ranges.duration, site.executionDuration);
    const limit = duration === 0 ? [] : [{ name: 'EXECUTIONDURATION', value: String(duration) }];
    const prefilled = [...parameters, ...limit, { name: 'PHASE', value: 'RUN' }];
    return {
      servicetype,
      endpoint: this.endpoint,
      info: {
        method: 'POST',
        contenttype: 'application/x-www-form-urlencoded',
        ...(parameters.length === 0 ? {} : { parameters: byName(prefilled) }),
      },
      resources: { ...grantedRanges(resources, duration, site), ...startup },
    };
  }
}

/** The task, or the reason why it can be none: a name that is no image's name is an answerable question. */
function parseTask({ parameters }: ContainerMembers): Task | NoReason {
  try {
    const task = parseContainerParameters(parameters);
    if (task !== undefined) return task;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'BadReference') throw atQuestion(error);
    return { httpcode: 422, code: 'image.reference', path: 'taskinfo.image', text: error.message.replace(/^IMAGE: /, '') };
  }
  throw new GatewayError('BadParameter', 'taskinfo.image is missing', { path: 'taskinfo.image' });
}

/** As a form takes them: a value by name, a list of values where a name is given several times. */
function byName(parameters: readonly GivenParameter[]): Readonly<Record<string, Info>> {
  const members: Record<string, string | string[]> = {};
  for (const { name, value } of parameters) {
    const present = members[name];
    members[name] = present === undefined ? value : [present, value].flat();
  }
  return members;
}

function wantedResources({ asked, site }: Context, most: OfferedResources): Partial<OfferedResources> {
  const cores = wanted(asked.ranges.cores, site.cores, most.cores);
  const memory = wanted(asked.ranges.memory, site.memory, most.memory);
  const gpus = wanted(asked.ranges.gpus, { default: 0, max: 0 }, most.gpus ?? 0);
  return { ...(cores === undefined ? {} : { cores }), ...(memory === undefined ? {} : { memory }), ...(gpus === undefined || gpus === 0 ? {} : { gpus }) };
}

function mostOf({ cores, memory, gpus = 0 }: SiteResources): OfferedResources {
  return { cores: cores.max, memory: memory.max, gpus };
}

function shownReason({ code, path, text, rule }: Reason): NoReason {
  return { httpcode: statusOf(code), code, path: questionPath(path), text, ...(rule === undefined ? {} : { rule }) };
}

/** 403: nothing about the task helps; 404: no such image; 422: another task would be taken. */
function statusOf(code: string): number {
  if (code.startsWith('caller.') || code.startsWith('policy.')) return 403;
  return code === 'image.not-found' ? 404 : 422;
}

/** Where in the question the judge's path lies. */
function questionPath(path: string): string {
  if (path === '') return 'tasktype';
  const resource = /^resources\.(cores|memory|gpus)$/.exec(path)?.[1];
  return resource === undefined ? `taskinfo.${path}` : `resources.min${resource}`;
}
