import type { Answer, DecisionShown, Info, Platform, ServiceInterface } from './offer.ts';
import { formatAmount, KINDS, type Ranges } from './resources.ts';

/** What is sent: members in the order in which they are read best. */
export type Document = Readonly<Record<string, Info>>;

/** Words a client understands: the note's two, or also the MAYBE of the slides that preceded it. */
export type Words = 'yes-no' | 'yes-no-maybe';

/**
 * The answer as the note has it (§3, §4.4, §5, §7). Its spellings, `reponseword` and `reponseinfo`, are the names on the wire, and
 * stand here only. A single interface is told both ways, at the top and in `interfaces`; several only in `interfaces`.
 */
export function answerDocument(answer: Answer, words: Words): Document {
  const short = answer.shortDurations ?? false;
  const info = responseInfo(answer);
  const common = Object.keys(info).length === 0 ? {} : { reponseinfo: info };
  if (answer.word === 'NO') {
    const resources = resourcesMember(answer.resources, short);
    const word = answer.maybe !== undefined && words === 'yes-no-maybe' ? 'MAYBE' : 'NO';
    return { reponseword: word, ...resources, ...common };
  }
  const [first, ...others] = answer.interfaces;
  const single = first === undefined || others.length > 0 ? {} : interfaceDocument(first, short);
  const interfaces = answer.interfaces.map((each) => {
    const { resources, ...rest } = interfaceDocument(each, short);
    return others.length > 0 && resources !== undefined ? { ...rest, resources } : rest;
  });
  return { reponseword: 'YES', ...single, interfaces, ...common };
}

function responseInfo(answer: Answer): Document {
  const { warnings, decision } = answer;
  return {
    ...(answer.word === 'NO' ? { reasons: answer.reasons.map((reason) => ({ ...reason })) } : {}),
    ...(answer.word === 'NO' && answer.maybe !== undefined ? { maybe: { ...answer.maybe } } : {}),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map((warning) => ({ ...warning })) }),
    ...(decision === undefined ? {} : { decision: decisionDocument(decision) }),
  };
}

function interfaceDocument({ servicetype, endpoint, info, resources }: ServiceInterface, short: boolean): Document {
  return {
    servicetype,
    serviceinfo: { endpoint, ...info },
    ...resourcesMember(resources, short),
  };
}

function resourcesMember(ranges: Ranges | undefined, short: boolean): Document {
  const document = resourcesDocument(ranges ?? {}, short);
  return Object.keys(document).length === 0 ? {} : { resources: document };
}

function decisionDocument({ decision, digest }: DecisionShown): Document {
  const { id, rule, policy, base, relaxed } = decision;
  return {
    id,
    rule,
    policy,
    ...(digest === undefined ? {} : { digest }),
    ...(relaxed === undefined ? {} : { relaxed: [...relaxed] }),
    ...(base === undefined ? {} : { base: { name: base.name, digest: base.digest } }),
  };
}

/** `mincores`, `maxcores`, `minmemory` … (note §5). */
function resourcesDocument(ranges: Ranges, shortDurations: boolean): Document {
  const members: Record<string, Info> = {};
  for (const kind of KINDS) {
    for (const bound of ['min', 'max'] as const) {
      const amount = ranges[kind]?.[bound];
      if (amount !== undefined) members[bound + kind] = formatAmount(kind, amount, shortDurations);
    }
  }
  return members;
}

/** What is served here: the answer to a question without a task type, and to those who collect planners. */
export function servedDocument(platforms: readonly Platform[], planner: string): Document {
  const peers = platforms.filter(({ isPeer }) => isPeer === true).map(({ endpoint }) => endpoint);
  return {
    planner,
    ...(peers.length === 0 ? {} : { peers }),
    services: platforms.filter(({ isPeer }) => isPeer !== true).map(({ name, description, tasktypes, servicetypes, endpoint }) => ({
      name,
      ...(description === undefined ? {} : { description }),
      tasktypes,
      servicetypes,
      endpoint,
    })),
  };
}

/** A question without a task type is malformed; the answer says what could be asked (no word: nothing was judged). */
export function missingTasktypeDocument(platforms: readonly Platform[], planner: string): Document {
  const text = `tasktype is missing: ask for example ${planner}?tasktype=${encodeURIComponent(platforms[0]?.tasktypes[0] ?? 'uri://docker-container')}`;
  return {
    reponseinfo: { reasons: [{ httpcode: 400, code: 'tasktype.missing', path: 'tasktype', text }] },
    ...servedDocument(platforms, planner),
  };
}
