import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { formatSize } from '../task/units.ts';
import { readSoftware, type Software } from './codemeta.ts';
import { parseMapping } from './document.ts';
import type { Answer, NoReason, Platform } from './offer.ts';
import { type Planner, mergeAnswers } from './planner.ts';
import { type Branch, type Details, isBranch, UploadedDocument, type Value } from './question.ts';
import { parseResources } from './resources.ts';

/** What a description becomes: a question that platforms understand. */
interface Derived {
  readonly tasktype: string;
  readonly taskinfo: Readonly<Record<string, string>>;
}

const PATH = 'taskinfo.codemeta';
const CONTAINER = 'uri://docker-container';
const REPOSITORY = 'uri://binder-notebook';
/** Of one description; each is a judgement of its own. */
const MAX_DERIVED = 5;

/**
 * Software as its codemeta.json describes it (the ESCAPE OSSR's form): by its container image, or by its repository where somebody
 * builds from repositories. Answers with how, or with the requirement that stands in the way; what cannot be told is a warning.
 */
export class SoftwarePlatform implements Platform {
  readonly name = 'software';
  readonly description = 'software described by a codemeta.json (taskinfo.codemeta), by its container image or its repository';
  readonly tasktypes = ['uri://codemeta', 'http://purl.escape.eu/types/codemeta'];
  readonly servicetypes: readonly string[];
  readonly endpoint: string;
  readonly #planner: Planner;

  /** `planner` knows the platforms that can run it; `url` is of /accepts. */
  constructor(planner: Planner, url: string) {
    this.#planner = planner;
    this.endpoint = url;
    this.servicetypes = [...new Set([CONTAINER, REPOSITORY].flatMap((type) => planner.platforms.filter(({ tasktypes }) => tasktypes.includes(type)).flatMap(({ servicetypes }) => servicetypes)))];
  }

  /** Whether any platform could run what a description names. */
  static canRun(planner: Planner): boolean {
    return planner.isServed(CONTAINER) || planner.isServed(REPOSITORY);
  }

  async decide(_tasktype: string, details: Details, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const description = readDescription(details.taskinfo['codemeta']);
    if (description === undefined) return { word: 'NO', reasons: [BY_URL], warnings: [] };
    const software = readSoftware(description, PATH);
    const warnings = [...software.unclear, ...unread(details.taskinfo)];
    const hindrances = hindrancesOf(software);
    const derived = this.#derive(software, details.via);
    if (hindrances.length > 0 || derived.length === 0) return { word: 'NO', reasons: hindrances.length > 0 ? hindrances : [noWay(software)], warnings };
    const resources = withRequirements(details.resources, software);
    const answers = await Promise.all(derived.map((question) => this.#ask(question, { ...details, resources, warnings: [] }, caller, signal)));
    return mergeAnswers(answers, warnings);
  }

  /** Questions that somebody here takes. */
  #derive({ images, repositories }: Software, via: readonly string[]): readonly Derived[] {
    return [
      ...images.map((image) => ({ tasktype: CONTAINER, taskinfo: { image } })),
      ...repositories.map((repository) => ({ tasktype: REPOSITORY, taskinfo: { repository } })),
    ]
      .filter(({ tasktype }) => this.#planner.isServed(tasktype, via))
      .slice(0, MAX_DERIVED);
  }

  async #ask({ tasktype, taskinfo }: Derived, details: Details, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#planner.answer({ tasktype, details: { ...details, taskinfo: branch(taskinfo) } }, caller, signal);
    if (answer.word === 'NO') return { ...answer, reasons: answer.reasons.map((reason) => ({ ...reason, path: reason.path.startsWith('resources.') ? reason.path : PATH })) };
    return { ...answer, interfaces: answer.interfaces.map((each) => ({ ...each, info: { ...each.info, tasktype, ...taskinfo } })) };
  }
}

const BY_URL: NoReason = { httpcode: 422, code: 'software.url', path: PATH, text: 'this site fetches no descriptions; send the document itself' };

/** The description: a document, in whatever way it came; undefined where it is only a URL. Throws BadRequest, BadParameter. */
function readDescription(value: Value | undefined): Branch | undefined {
  if (value === undefined || value === null || value === '') throw new GatewayError('BadParameter', `${PATH} is missing: the codemeta.json itself`, { path: PATH });
  if (isBranch(value)) return value;
  const text = value instanceof UploadedDocument ? value.text : value;
  if (typeof text !== 'string') throw new GatewayError('BadParameter', `${PATH} must be one document`, { path: PATH });
  if (/^\s*https?:\/\/\S+\s*$/.test(text)) return undefined;
  return parseMapping(text, PATH);
}

function hindrancesOf({ gpu, foreignSystems }: Software): readonly NoReason[] {
  return [
    ...(gpu === undefined ? [] : [{ httpcode: 422, code: 'software.gpu', path: gpu, text: 'it asks for a graphics processor, which nobody here promises' }]),
    ...(foreignSystems === undefined
      ? []
      : [{ httpcode: 422, code: 'software.operating-system', path: `${PATH}.operatingSystem`, text: `it runs on ${foreignSystems.join(', ').slice(0, 200)}; only Linux is offered here` }]),
  ];
}

function noWay({ images, repositories }: Software): NoReason {
  const text =
    images.length + repositories.length === 0
      ? 'it names neither a container image (docker://…, or its page at Docker Hub or Quay) nor a code repository, so that nobody can run it'
      : `nobody here runs ${images.length > 0 ? 'container images' : 'software from its repository'}`;
  return { httpcode: 422, code: 'software.no-way', path: PATH, text };
}

/** What the question itself asks for wins over what the description says. */
function withRequirements(resources: Branch, { memory, store, cores }: Software): Branch {
  const { ranges } = parseResources(resources);
  return branch({
    ...(memory === undefined || ranges.memory !== undefined ? {} : { minmemory: formatSize(memory) }),
    ...(store === undefined || ranges.store !== undefined ? {} : { minstore: formatSize(store) }),
    ...(cores === undefined || ranges.cores !== undefined ? {} : { mincores: String(cores) }),
    ...resources,
  });
}

function unread(taskinfo: Branch): Details['warnings'] {
  return Object.keys(taskinfo)
    .filter((name) => name !== 'codemeta')
    .map((name) => ({ code: 'taskinfo.unknown', path: `taskinfo.${name.slice(0, 100)}`, text: 'software has no such member; it was not looked at' }));
}

function branch(members: Readonly<Record<string, Value>>): Branch {
  return Object.assign(Object.create(null) as Record<string, Value>, members);
}
