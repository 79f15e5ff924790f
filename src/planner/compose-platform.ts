import type { Caller } from '../caller.ts';
import type { ProjectPolicy } from '../policy/policy.ts';
import type { ProjectOffer, ProjectReason, ProjectVerdict } from '../policy/verdict.ts';
import { FetchFailed } from '../untrusted-fetch.ts';
import { type ComposeTask, formatComposeParameters } from '../task/compose-parameters.ts';
import type { PinnedWork } from '../task/project.ts';
import type { Resources } from '../task/task.ts';
import { closedAnswer, excessAnswer } from './closed-answer.ts';
import { readComposeMembers } from './compose-task.ts';
import { grantedDuration, grantedRanges, offeredRanges, resourceWarnings, shortfalls } from './container-resources.ts';
import { dataReasons, readDataReferences } from './data-access.ts';
import type { JobPlatformParts } from './job-platform.ts';
import type { Answer, Info, Maybe, NoReason, Platform, ServiceInterface } from './offer.ts';
import type { Details } from './question.ts';
import { parseResources, type Ranges } from './resources.ts';

/** The text of the compose file at a URL. Throws FetchFailed. */
export type ComposeFetch = (url: string, signal: AbortSignal) => Promise<string>;

export interface ComposePlatformParts extends JobPlatformParts {
  readonly policy: ProjectPolicy;
  /** Told of every work that is answered YES: who asked will come back with it. Absent = nobody cares. */
  readonly promised?: (work: PinnedWork) => void;
  /** Absent = a question that names its file by URL is answered NO. */
  readonly fetchFile?: ComposeFetch;
}

const FAMILIES = ['uri://', 'http://purl.escape.eu/types/'];
const TASK = 'docker-compose';
const SERVICE = 'compose-uws';

/** A file that only its author can bring: nothing is fetched. */
const BY_URL: NoReason = {
  httpcode: 422,
  code: 'compose.url',
  path: 'taskinfo.composefile',
  text: 'this site fetches no compose files; send the file itself, as an uploaded part or as text',
};

/** Pratique's own answer to `uri://docker-compose` (note §4.2): "can I run a compose file here", and "can I run this one". */
export class ComposePlatform implements Platform {
  readonly name = SERVICE;
  readonly description = 'UWS 1.1 job list that runs Docker Compose files which the policy of this site accepts';
  readonly tasktypes = FAMILIES.map((family) => family + TASK);
  readonly servicetypes = FAMILIES.map((family) => family + SERVICE);
  readonly endpoint: string;
  readonly #parts: ComposePlatformParts;

  constructor(parts: ComposePlatformParts) {
    this.#parts = parts;
    this.endpoint = parts.jobListUrl;
  }

  async decide(tasktype: string, details: Details, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const { policy, site, data, refuseCaller, closed } = this.#parts;
    const stranger = refuseCaller?.(caller);
    if (stranger !== undefined) return { word: 'NO', reasons: [shownReason({ ...stranger, line: 0 })], warnings: [] };
    const closure = closed?.();
    if (closure !== undefined) return closedAnswer(closure);
    const { task: given, url, warnings: unread } = readComposeMembers(details.taskinfo);
    const asked = parseResources(details.resources);
    const common = { warnings: [...unread, ...asked.warnings, ...resourceWarnings(asked.ranges)], shortDurations: asked.shortDurations };
    const offered = offeredRanges({ ...site(), gpus: 0 }, undefined);
    const short = shortfalls(asked.ranges, offered);
    const missing = dataReasons(readDataReferences(details.taskinfo['data'], 'taskinfo.data'), data, caller, 'this site');
    if (short.length > 0) return { word: 'NO', reasons: [...short, ...missing], resources: offered, ...common };
    if (missing.length > 0) return { word: 'NO', reasons: missing, ...common };
    const task = given === undefined || url === undefined ? given : await this.#fetched(given, url, caller, signal);
    if (task !== undefined && 'httpcode' in task) return { word: 'NO', reasons: [task], ...common };
    const servicetype = tasktype.slice(0, -TASK.length) + SERVICE;
    if (task === undefined) {
      const reasons = (await policy.general(caller, signal)).map((reason) => shownReason({ ...reason, line: 0 }));
      if (reasons.length > 0) return { word: 'NO', reasons, ...common };
      const excess = await this.#parts.excess?.(caller, null);
      return excess === undefined ? { word: 'YES', interfaces: [this.#offer(servicetype, undefined, undefined, asked.ranges)], ...common } : { ...excessAnswer(excess), ...common };
    }
    const verdict = await policy.evaluateProject(task, caller, signal);
    const warnings = [...common.warnings, ...verdict.warnings.map(shownWarning)];
    const decision = { decision: verdict.decision, digest: verdict.digest };
    if (!verdict.accepted) return { word: 'NO', reasons: verdict.reasons.map(shownReason), decision, ...common, warnings, ...maybeOf(verdict) };
    // A file says itself what it needs: minimums of the question beside it can only be met by it.
    const lacking = shortfalls(asked.ranges, grantedRanges(verdict.project.resources, grantedDuration(asked.ranges.duration, site().executionDuration), site()));
    if (lacking.length > 0) return { word: 'NO', reasons: lacking.map(inFile), resources: offered, decision, ...common, warnings };
    const excess = await this.#parts.excess?.(caller, verdict.project);
    if (excess !== undefined) return { ...excessAnswer(excess), decision, ...common, warnings };
    this.#parts.promised?.(verdict.project);
    return { word: 'YES', interfaces: [this.#offer(servicetype, { task, decision: verdict.decision.id }, verdict.project.resources, asked.ranges)], decision, ...common, warnings };
  }

  /** The same task with the file that is to be had there, or why it is not. Nothing is fetched for who could not have it judged. */
  async #fetched(task: ComposeTask, url: string, caller: Caller, signal: AbortSignal): Promise<ComposeTask | NoReason> {
    const { fetchFile, policy } = this.#parts;
    const [stranger] = await policy.general(caller, signal);
    if (stranger !== undefined) return shownReason({ ...stranger, line: 0 });
    if (fetchFile === undefined) return BY_URL;
    try {
      return { ...task, file: await fetchFile(url, signal) };
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error;
      return { ...BY_URL, text: `the file could not be fetched: ${error.message}; send the file itself instead` };
    }
  }

  /** What a program needs to run the file: where, how, and with which parameters; of secrets the names of those that only the client can add. */
  #offer(servicetype: string, judged: { readonly task: ComposeTask; readonly decision: string } | undefined, resources: Resources | undefined, asked: Ranges): ServiceInterface {
    const task = judged?.task;
    const site = this.#parts.site();
    const duration = grantedDuration(asked.duration, site.executionDuration);
    const parameters: Record<string, Info> = {
      ...(task === undefined ? {} : Object.fromEntries(formatComposeParameters(task).map(({ name, value }) => [name, value]))),
      ...(duration === 0 ? {} : { EXECUTIONDURATION: String(duration) }),
      PHASE: 'RUN',
      ...(judged === undefined ? {} : { DECISION: judged.decision }),
    };
    return {
      servicetype,
      endpoint: this.endpoint,
      info: { method: 'POST', contenttype: 'application/x-www-form-urlencoded', ...(task === undefined ? {} : { parameters }), ...(task?.secrets === undefined ? {} : { secrets: [...task.secrets].map((name) => `SECRET.${name}`) }) },
      resources: grantedRanges(resources ?? { cores: site.cores.default, memory: site.memory.default }, duration, site),
    };
  }
}

/** What stands between the file and a yes, where that is only changes and values (execution-planner.md 1.6). */
function maybeOf(verdict: Extract<ProjectVerdict, { accepted: false }>): { readonly maybe?: Maybe } {
  const { offer } = verdict;
  if (offer === undefined) return {};
  const parameters = offer.parameters.map(({ name, kind, secret }) => ({ name, required: true, ...(secret ? { secret } : {}), ...(kind === 'image' ? { kind } : {}) }));
  if (offer.changes.length === 0) return { maybe: { kind: 'parameters', how: howTo(offer), parameters } };
  return { maybe: { kind: 'change', how: howTo(offer), parameters, changes: offer.changes.map((change) => ({ ...change })), template: { mediatype: 'application/yaml', content: offer.file } } };
}

function howTo({ changes, parameters }: ProjectOffer): string {
  const file = changes.length === 0 ? 'resubmit the file' : 'resubmit the template';
  const secret = parameters.some(({ kind }) => kind === 'secret');
  const plain = parameters.some(({ kind }) => kind !== 'secret');
  const ways = [
    ...(plain ? ['with the parameters filled in, as taskinfo.variables, or as VAR.<NAME> of the job'] : []),
    ...(secret ? ['with the names of the secrets in taskinfo.secrets, their values only as SECRET.<NAME> of the job'] : []),
  ];
  return [file, ways.join('; ')].filter((text) => text !== '').join(' ');
}

function shownReason({ code, path, line, text, rule }: ProjectReason): NoReason {
  const status = code.startsWith('caller.') || code.startsWith('policy.') ? 403 : code === 'image.not-found' ? 404 : 422;
  return { httpcode: status, code, path: path === '' ? (status === 403 ? 'tasktype' : 'taskinfo.composefile') : path, text, ...(line === 0 ? {} : { line }), ...(rule === undefined ? {} : { rule }) };
}

function shownWarning({ code, path, text }: ProjectReason): { readonly code: string; readonly path: string; readonly text: string } {
  return { code, path: path === '' ? 'taskinfo.composefile' : path, text };
}

function inFile(reason: NoReason): NoReason {
  return { ...reason, text: `the services of the file together ask for less: ${reason.text}, or more for a service (cpus, mem_limit)` };
}
