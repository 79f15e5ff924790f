import type { Caller } from '../caller.ts';
import { GatewayError, isTemporary } from '../errors.ts';
import { mayForward } from './forwarding.ts';
import type { Answer, NoReason, Platform, ServiceInterface } from './offer.ts';
import type { Question, Warning } from './question.ts';

/** Answers "where can I run this task?" over all platforms it knows, in their order. */
export class Planner {
  readonly platforms: readonly Platform[];
  /** What this planner is called where questions are forwarded. */
  readonly mark: string;

  constructor(platforms: readonly Platform[], mark: string) {
    this.platforms = platforms;
    this.mark = mark;
  }

  /** Whether any platform takes tasks of this type, or a peer may; compared exactly (note §2). */
  isServed(tasktype: string, via: readonly string[] = []): boolean {
    return this.#asked(tasktype, via).length > 0;
  }

  /** Throws as Platform.decide, errors of status 503 only where no platform says yes. */
  async answer(question: Question, caller: Caller, signal: AbortSignal): Promise<Answer> {
    const { tasktype, details } = question;
    if (details === undefined) return { word: 'NO', reasons: [this.#unknown(tasktype)], warnings: [] };
    const asked = this.#asked(tasktype, details.via);
    const outcomes = await Promise.allSettled(asked.map((platform) => platform.decide(tasktype, details, caller, signal)));
    const failures: Failure[] = [];
    const answers: Answer[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') answers.push(outcome.value);
      else failures.push({ error: outcome.reason, isPeer: asked[i]?.isPeer === true });
    }
    return withFailures(mergeAnswers(answers, details.warnings), failures, answers.length > 0);
  }

  /** A question that comes back to us, or from too far, is not forwarded again; what we have said ourselves need not be said twice. */
  #asked(tasktype: string, via: readonly string[]): readonly Platform[] {
    if (via.includes(this.mark)) return [];
    const forwards = mayForward(via, this.mark);
    return this.platforms.filter(({ tasktypes, isPeer, takesAll }) => (takesAll === true || tasktypes.includes(tasktype)) && (isPeer !== true || forwards));
  }

  #unknown(tasktype: string): NoReason {
    const meant = this.platforms.find(({ servicetypes }) => servicetypes.includes(tasktype))?.tasktypes[0];
    const text =
      meant === undefined
        ? 'nobody here takes tasks of this type; GET /services.json lists the types that are taken'
        : `that is the type of a service, not of a task; did you mean ${meant}?`;
    return { httpcode: 404, code: 'tasktype.unknown', path: 'tasktype', text };
  }
}

/** A platform that could not tell. */
interface Failure {
  readonly error: unknown;
  readonly isPeer: boolean;
}

/** The answer beside those who could not tell: a yes stands; a no stands only against peers, who are not ours to answer for. */
function withFailures(answer: Answer, failures: readonly Failure[], judged: boolean): Answer {
  const malformed = failures.find(({ error }) => !isTemporary(error));
  const [failure] = malformed === undefined ? failures : [malformed];
  if (failure === undefined) return answer;
  const stands = malformed === undefined && (answer.word === 'YES' || (judged && failures.every(({ isPeer }) => isPeer)));
  if (!stands) throw failure.error instanceof Error ? failure.error : new Error('a platform failed', { cause: failure.error });
  return { ...answer, warnings: [...answer.warnings, ...failures.map(unavailable)] };
}

/** Yes where one says yes, with the interfaces of all that do; else no with the reasons of all. */
export function mergeAnswers(answers: readonly Answer[], warnings: readonly Warning[]): Answer {
  const [only, ...others] = answers;
  const all = dedupe([...warnings, ...answers.flatMap((answer) => answer.warnings)]);
  if (only !== undefined && others.length === 0) return { ...only, warnings: all };
  const yes = answers.filter((answer) => answer.word === 'YES');
  const no = answers.filter((answer) => answer.word === 'NO');
  const decision = (yes.length > 0 ? yes : no).find((answer) => answer.decision !== undefined)?.decision;
  const common = {
    warnings: all,
    shortDurations: answers.some(({ shortDurations }) => shortDurations),
    ...(decision === undefined ? {} : { decision }),
  };
  if (yes.length > 0) return { word: 'YES', interfaces: distinct(yes.flatMap(({ interfaces }) => interfaces)), ...common };
  const maybe = no.find((answer) => answer.maybe !== undefined)?.maybe;
  const retryAfter = no.find((answer) => answer.retryAfter !== undefined)?.retryAfter;
  const resources = no.find((answer) => answer.resources !== undefined)?.resources;
  return {
    word: 'NO',
    reasons: no.flatMap(({ reasons }) => reasons),
    ...(maybe === undefined ? {} : { maybe }),
    ...(resources === undefined ? {} : { resources }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...common,
  };
}

/** The same service may be told of by several planners. */
function distinct(interfaces: readonly ServiceInterface[]): readonly ServiceInterface[] {
  const seen = new Set<string>();
  return interfaces.filter(({ servicetype, endpoint }) => {
    const key = `${servicetype} ${endpoint}`;
    return !seen.has(key) && seen.add(key).size > 0;
  });
}

function dedupe(warnings: readonly Warning[]): readonly Warning[] {
  const seen = new Set<string>();
  return warnings.filter(({ code, path, text }) => {
    const key = JSON.stringify([code, path, text]);
    return !seen.has(key) && seen.add(key).size > 0;
  });
}

function unavailable({ error }: Failure): Warning {
  const text = error instanceof GatewayError ? error.message : 'one of the platforms cannot be asked at present';
  return { code: 'platform.unavailable', path: '', text };
}
