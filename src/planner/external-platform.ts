import { type Caller, isMember } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { wildcardMatches } from '../wildcard.ts';
import { dataReasons, readDataReferences } from './data-access.ts';
import { Health, type HealthProbe } from './health.ts';
import type { Answer, Info, NoReason, Platform } from './offer.ts';
import type { MemberRule, ServiceConfig } from './planner-config.ts';
import type { Details, Value, Warning } from './question.ts';
import { formatAmount, KINDS, type Kind, parseResources, type Ranges } from './resources.ts';
import { namesOf, wordsOf } from './value-readers.ts';

export interface ExternalPlatformParts {
  readonly clock: Clock;
  readonly probe?: HealthProbe;
}

/**
 * A platform that others run and this planner speaks for (note §8.1): JupyterHub, BinderHub, Zeppelin, Portainer … Matches the
 * task type and what the configuration says of taskinfo, resources and callers; how the platform is used is between the
 * client and it (note §4.3).
 */
export class ExternalPlatform implements Platform {
  readonly name: string;
  readonly description?: string;
  readonly tasktypes: readonly string[];
  readonly servicetypes: readonly string[];
  readonly endpoint: string;
  readonly #config: ServiceConfig;
  readonly #health: Health | undefined;

  constructor(config: ServiceConfig, { clock, probe }: ExternalPlatformParts) {
    this.name = config.name;
    if (config.description !== undefined) this.description = config.description;
    this.tasktypes = config.tasktypes;
    this.servicetypes = [config.servicetype];
    this.endpoint = config.endpoint;
    this.#config = config;
    const { health, endpoint } = config;
    this.#health = health === undefined ? undefined : new Health({ url: health.url ?? endpoint, timeout: health.timeout, every: health.every }, clock, probe);
  }

  async decide(_tasktype: string, { taskinfo, resources }: Details, caller: Caller): Promise<Answer> {
    const asked = parseResources(resources);
    const common = { shortDurations: asked.shortDurations };
    // Who may not use it need not be told what it takes.
    const stranger = notAuthorised(this.#config, caller);
    if (stranger !== undefined) return { word: 'NO', reasons: [stranger], warnings: [], ...common };
    const found = Object.entries(this.#config.taskinfo ?? {}).map(([name, rule]) => judgeMember(name, rule, taskinfo[name], this.name));
    const data = dataReasons(readDataReferences(taskinfo['data'], 'taskinfo.data'), this.#config.data, caller, this.name);
    const reasons = [...found.flatMap((member) => member.reasons), ...data, ...this.#shortfalls(asked.ranges)];
    const limits = this.#limits();
    if (reasons.length > 0) return { word: 'NO', reasons, resources: limits, warnings: asked.warnings, ...common };
    if (this.#health !== undefined && !(await this.#health.isHealthy())) return { word: 'NO', reasons: [this.#unhealthy()], warnings: [], ...common };
    const { servicetype, info = {} } = this.#config;
    const announced: Record<string, Info> = Object.assign({}, ...found.map((member) => member.announced)) as Record<string, Info>;
    const offer = { servicetype, endpoint: this.endpoint, info: { ...info, ...announced }, ...(Object.keys(resources).length === 0 ? {} : { resources: limits }) };
    return { word: 'YES', interfaces: [offer], warnings: [...asked.warnings, ...this.#unread(Object.keys(taskinfo), asked.ranges)], ...common };
  }

  /** Members of the question that nothing here has looked at: told, never dropped in silence. */
  #unread(members: readonly string[], asked: Ranges): readonly Warning[] {
    const taskinfo = members.filter((name) => name !== 'data' && !Object.hasOwn(this.#config.taskinfo ?? {}, name)).map((name) => ({ code: 'taskinfo.unknown', path: `taskinfo.${name}` }));
    const ranges = KINDS.flatMap((kind) => (['min', 'max'] as const).filter((end) => asked[kind]?.[end] !== undefined).map((end) => ({ code: 'resources.unknown', path: `resources.${end}${kind}` })));
    const resources = this.#config.resources === undefined ? ranges : [];
    return [...taskinfo, ...resources].map(({ code, path }) => ({ code, path: path.slice(0, 100), text: `was not looked at for ${this.name}` }));
  }

  #limits(): Ranges {
    const { startup, ...limits } = this.#config.resources ?? {};
    return {
      ...Object.fromEntries(Object.entries(limits).filter(([, most]) => most !== undefined).map(([kind, most]) => [kind, { max: most }])),
      ...(startup === undefined ? {} : { startup: { max: startup } }),
    };
  }

  #shortfalls(asked: Ranges): readonly NoReason[] {
    const limits = this.#config.resources;
    if (limits === undefined) return [];
    const late = asked.startup?.max !== undefined && (limits.startup ?? Infinity) > asked.startup.max;
    return [
      ...(['cores', 'memory', 'store', 'duration', 'gpus'] as const).filter((kind) => (asked[kind]?.min ?? 0) > (limits[kind] ?? 0)).map((kind) => this.#tooMuch(kind, `min${kind}`, limits[kind])),
      ...(late ? [this.#tooMuch('startup', 'maxstartup', limits.startup)] : []),
    ];
  }

  #tooMuch(kind: Kind, member: string, limit: number | undefined): NoReason {
    const said = limit === undefined ? 'nothing that it promises' : String(formatAmount(kind, limit, true));
    return { httpcode: 422, code: `resources.${kind}`, path: `resources.${member}`, text: `${this.name} offers ${said} of ${kind}; change or leave out ${member}` };
  }

  #unhealthy(): NoReason {
    return { httpcode: 503, code: 'service.unavailable', path: '', text: `${this.name} does not answer at present; ask again later` };
  }
}

function notAuthorised({ name, groups }: ServiceConfig, caller: Caller): NoReason | undefined {
  if (groups === undefined || groups.some((group) => isMember(caller.groups, group))) return undefined;
  const text = caller.id === null ? `Not authorised: sign in to use ${name}` : `Not authorised: ${name} is for members of certain groups only`;
  return { httpcode: 403, code: 'caller.group', path: '', text };
}

interface JudgedMember {
  readonly reasons: readonly NoReason[];
  /** What the answer says the platform could do. */
  readonly announced: Readonly<Record<string, Info>>;
}

function judgeMember(name: string, rule: MemberRule, value: Value | undefined, platform: string): JudgedMember {
  const path = `taskinfo.${name}`;
  const no = (code: string, text: string): NoReason => ({ httpcode: 422, code: `taskinfo.${code}`, path, text });
  const given = value === undefined || value === null ? [] : rule.oneOf === undefined ? trimmedWords(value, path) : namesOf(value, path);
  if (given.length === 0) return { reasons: rule.required ? [no('missing', `${platform} needs ${path} to be said`)] : [], announced: {} };
  const { oneOf, patterns } = rule;
  const strange = oneOf === undefined ? [] : given.filter((each) => !oneOf.includes(each));
  const unlike = patterns === undefined ? [] : given.filter((each) => !patterns.some((pattern) => wildcardMatches(pattern, each)));
  return {
    reasons: [
      ...(strange.length === 0 ? [] : [no('not-offered', `${platform} does not offer ${shown(strange)}; it offers ${(oneOf ?? []).join(', ')}`)]),
      ...(unlike.length === 0 ? [] : [no('not-accepted', `${platform} does not take ${shown(unlike)}; it takes ${(patterns ?? []).join(', ')}`)]),
    ],
    announced: oneOf === undefined ? {} : { [name]: oneOf },
  };
}

/** Values that patterns are matched with keep their commas: URLs have some. */
function trimmedWords(value: Value, path: string): readonly string[] {
  return wordsOf(value, path).map((word) => word.trim());
}

function shown(values: readonly string[]): string {
  return values.slice(0, 20).map((value) => JSON.stringify(value.slice(0, 100))).join(', ');
}
