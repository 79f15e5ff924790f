import { randomBytes } from 'node:crypto';
import { parseDocument } from '../planner/document.ts';
import { type Branch, EMPTY, isBranch, isList, type Value } from '../planner/question.ts';
import type { Confidential } from './ask-confidential.ts';
import { type AskSession, request, unexpected } from './ask-session.ts';

export interface AskedQuestion {
  readonly tasktype: string;
  /** Dotted names and their values, in order; repeated names make a list. */
  readonly members: readonly { readonly name: string; readonly value: string }[];
  /** For the job alone: `SECRET.<NAME>`. */
  readonly secrets: readonly Confidential[];
  /** `REGISTRY.<HOST>`: part of the question, for images that only its user may read, and never of an address. */
  readonly logins: readonly Confidential[];
  /** A document that is part of the question. */
  readonly document?: { readonly name: string; readonly bytes: Uint8Array };
}

/** One way to run the task, as the planner says it. */
export interface OfferedInterface {
  readonly servicetype: string;
  readonly serviceinfo: Branch;
  readonly resources: Branch;
}

/** A planner's answer, whichever of the two shapes and four spellings it has (execution-planner.md 1.5, 1 and 17). */
export interface PlannerAnswer {
  readonly yes: boolean;
  /** YES, NO or MAYBE, as said. */
  readonly word: string;
  readonly interfaces: readonly OfferedInterface[];
  readonly resources: Branch;
  readonly info: Branch;
  readonly question: AskedQuestion;
  /** As it came. */
  readonly text: string;
}

/** Asks. Throws FetchFailed, or an Error where the answer is none. */
export async function askPlanner(session: AskSession, question: AskedQuestion): Promise<PlannerAnswer> {
  const accept = { accept: 'application/json;profile="maybe", application/json;q=0.9, application/yaml;q=0.5' };
  const response = question.document === undefined && question.logins.length === 0 ? await get(session, question, accept) : await post(session, question, accept);
  if (response.status !== 200) throw unexpected(`${session.url.host} gives no answer`, response);
  return readAnswer(response.bytes.toString('utf8'), question, session.url.host);
}

function get(session: AskSession, { tasktype, members }: AskedQuestion, headers: Readonly<Record<string, string>>): ReturnType<typeof request> {
  const url = new URL(session.url);
  for (const { name, value } of [{ name: 'tasktype', value: tasktype }, ...members]) url.searchParams.append(name, value);
  return request(session, url.href, { headers });
}

/** Multipart, since a document may be in it. As text: a document that is none is for the planner to refuse. */
function post(session: AskSession, question: AskedQuestion, headers: Readonly<Record<string, string>>): ReturnType<typeof request> {
  const { tasktype, members, document, logins } = question;
  const boundary = `pratique-${randomBytes(16).toString('hex')}`;
  const part = (name: string, value: string, more = ''): string => `--${boundary}\r\nContent-Disposition: form-data; name="${name.replace(/["\r\n]/g, '')}"${more}\r\n\r\n${value}\r\n`;
  const registries = logins.map(({ name, value }) => ({ name: 'taskinfo.registries', value: `${name.slice('REGISTRY.'.length)}=${value}` }));
  const parts = [{ name: 'tasktype', value: tasktype }, ...members, ...registries].map(({ name, value }) => part(name, value));
  if (document !== undefined) parts.push(part(document.name, Buffer.from(document.bytes).toString('utf8'), '; filename="document.yml"\r\nContent-Type: application/yaml'));
  return request(session, session.url.href, {
    method: 'POST',
    headers: { ...headers, 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: `${parts.join('')}--${boundary}--\r\n`,
  });
}

/** Reads an answer in JSON or YAML. Throws an Error where there is no word in it. */
export function readAnswer(text: string, question: AskedQuestion, host: string): PlannerAnswer {
  const document = parseDocument(text);
  const root = isBranch(document) ? document : EMPTY;
  const word = ['reponseword', 'responseword', 'reponsecode', 'responsecode'].map((name) => textAt(root, name)?.toUpperCase()).find((value) => value !== undefined);
  if (word === undefined || !['YES', 'NO', 'MAYBE'].includes(word)) throw new Error(`${host} answers, but not as an Execution Planner does: there is no reponseword of YES or NO`);
  const several = isList(root['interfaces']) ? root['interfaces'].filter(isBranch) : [];
  const single = typeof root['servicetype'] === 'string' ? [root] : [];
  return {
    yes: word === 'YES',
    word,
    interfaces: (single.length > 0 ? single : several).map(offeredInterface),
    resources: branchAt(root, 'resources'),
    info: isBranch(root['reponseinfo']) ? root['reponseinfo'] : branchAt(root, 'responseinfo'),
    question,
    text: text.endsWith('\n') ? text : `${text}\n`,
  };
}

function offeredInterface(branch: Branch): OfferedInterface {
  return { servicetype: textAt(branch, 'servicetype') ?? '', serviceinfo: branchAt(branch, 'serviceinfo'), resources: branchAt(branch, 'resources') };
}

/** The member as text, undefined where it is none. */
export function textAt(branch: Branch, name: string): string | undefined {
  const value = branch[name];
  return typeof value === 'string' ? value : undefined;
}

/** The member's members, none where it has none. */
export function branchAt(branch: Branch, name: string): Branch {
  const value = branch[name];
  return isBranch(value) ? value : EMPTY;
}

/** The items of a list that have members. */
export function branchesAt(branch: Branch, name: string): readonly Branch[] {
  const value: Value | undefined = branch[name];
  return isList(value) ? value.filter(isBranch) : [];
}
