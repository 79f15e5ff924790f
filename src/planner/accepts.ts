import type { ServerResponse } from 'node:http';
import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import type { Closure } from '../execution/closure.ts';
import { addressOf } from '../http/client-address.ts';
import { callerOf } from '../http/request-caller.ts';
import type { Handler, HttpContext } from '../http/handler.ts';
import { valuesOf } from '../http/parameters.ts';
import { controlsOf, readQuestion } from './accepts-request.ts';
import type { AnswerCache, SentAnswer } from './answer-cache.ts';
import { answerDocument, missingTasktypeDocument, type Document, type Words } from './answer-document.ts';
import { formatOf, renderDocument } from './document-render.ts';
import { viaOf } from './forwarding.ts';
import type { Planner } from './planner.ts';
import { untold } from './untold-answer.ts';

export interface AcceptsParts {
  readonly planner: Planner;
  /** Absolute URL of /accepts. */
  readonly url: string;
  /** Bytes of a request body at most. */
  readonly bodyLimit: number;
  /** Throws where this caller may not ask, or not as much; `address`: where the question comes from. Absent = everybody may. */
  readonly admitQuestion?: (caller: Caller, address: string) => void;
  /** Whether this caller is told why an answer is no, and by which rule it is yes. Absent = everybody is. */
  readonly tellsReasons?: (caller: Caller) => boolean;
  /** Absent = every question is judged anew. */
  readonly answers?: AnswerCache;
  /** Why nobody's jobs are taken at present; what was answered before counts no more then. */
  readonly closed?: () => Closure | undefined;
}

/**
 * Answers a question: 200 for whatever was judged, yes or no; 400 for what is malformed or has no task type; 503 when neither yes
 * nor no would be true (execution-planner.md 1.5). Nothing is created, stored or pulled (note §1: stateless).
 */
export function accepts({ planner, url, bodyLimit, admitQuestion, answers, closed, tellsReasons }: AcceptsParts): Handler {
  return async function answerQuestion(ctx) {
    const caller = callerOf(ctx);
    admitQuestion?.(caller, addressOf(ctx));
    const again = closed?.() === undefined ? answers?.get(ctx, caller) : undefined;
    if (again !== undefined) {
      sendAnswer(ctx, 200, again);
      return;
    }
    const via = viaOf(ctx.req.headers);
    const options = { bodyLimit, isServed: (tasktype: string) => planner.isServed(tasktype, via), via };
    const question = await readQuestion(ctx.req, options);
    if (question === undefined) {
      send(ctx, 400, missingTasktypeDocument(planner.platforms, url));
      return;
    }
    const answering = whileConnected(ctx.res, (signal) => planner.answer(question, caller, signal));
    const answer = await (tellsReasons?.(caller) === false ? untold(answering) : answering);
    const sent = rendered(ctx, answerDocument(answer, wordsOf(ctx)));
    if (answer.word === 'NO' && answer.retryAfter !== undefined) ctx.res.setHeader('Retry-After', String(answer.retryAfter));
    else answers?.put(ctx, caller, sent);
    sendAnswer(ctx, 200, sent);
  };
}

/** Stops judging when the client has gone. Every question to a registry, an engine or a verifier has a deadline of its own. */
async function whileConnected<T>(response: ServerResponse, judge: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once('close', leave);
  try {
    return await judge(gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
    throw new GatewayError('Unavailable', 'the client has gone', { cause: error });
  } finally {
    response.off('close', leave);
  }
}

/** Sends a document in the format that the client prefers. Throws BadParameter for a format that there is not. */
export function send(ctx: HttpContext, status: number, document: Document): void {
  sendAnswer(ctx, status, rendered(ctx, document));
}

function rendered(ctx: HttpContext, document: Document): SentAnswer {
  return renderDocument(document, formatOf(controlsOf(ctx.url), ctx.req.headers));
}

function sendAnswer(ctx: HttpContext, status: number, { text, mediaType }: SentAnswer): void {
  ctx.status = status;
  ctx.res.setHeader('Content-Type', mediaType);
  ctx.body = text;
}

/** MAYBE as the word only for who says that it understands it: `words=yes,no,maybe`, or a profile in Accept. */
function wordsOf(ctx: HttpContext): Words {
  const asked = valuesOf(controlsOf(ctx.url), 'WORDS').some((words) => words.toLowerCase().split(',').some((word) => word.trim() === 'maybe'));
  return asked || /;\s*profile\s*=\s*"?maybe"?\s*(?:[;,]|$)/i.test(ctx.req.headers.accept ?? '') ? 'yes-no-maybe' : 'yes-no';
}
