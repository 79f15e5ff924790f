import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.ts';
import { type ParameterisedHeader, parseParameterisedHeader } from '../http/header-parameters.ts';
import { decodeMultipart } from '../http/multipart.ts';
import { boundaryOf, contentTypeOf, decodeForm, decodeQuery, decodeText, type Field, hasBody, openBody } from '../http/request-body.ts';
import { parseMapping, withoutMembers } from './document.ts';
import { FieldTree } from './field-tree.ts';
import { FORM, isDocumentType, MULTIPART } from './question-types.ts';
import { peekField, peekTasktype } from './peek-tasktype.ts';
import { MAX_TYPE } from './planner-config.ts';
import { refuseInUrl } from './asked-logins.ts';
import { type Branch, type Details, EMPTY, isBranch, type Question, UploadedDocument, type Value, type Warning } from './question.ts';

/** Parameters that say how to answer, not what is asked; names in upper case. */
const CONTROLS: ReadonlySet<string> = new Set(['FORMAT', 'RESPONSEFORMAT', 'WORDS']);
/** What is read of a body to find its task type before anything else is done with it (bytes). */
const PREFIX = 64 * 1024;

export interface ReadOptions {
  /** Bytes of a body at most. */
  readonly bodyLimit: number;
  /** Whether anybody here takes tasks of this type. */
  readonly isServed: (tasktype: string) => boolean;
  /** The planners that this question has come through. */
  readonly via: readonly string[];
}

/**
 * Reads a question: query, form, multipart, YAML (also where no type is given, note §9) or JSON. The task type first: where
 * nobody takes it, the rest is not read. Undefined where there is no task type at all. Throws BadRequest, TooLarge,
 * UnsupportedMediaType.
 */
export async function readQuestion(request: IncomingMessage, options: ReadOptions): Promise<Question | undefined> {
  const url = request.url ?? '/';
  const asked = url.includes('?') ? peekField(rawQuery(url)) : undefined;
  if (asked !== undefined && asked !== '' && !options.isServed(asked)) {
    if (hasBody(request)) await (await openBody(request, options.bodyLimit, 0)).discard();
    return unserved(asked);
  }
  const tree = new FieldTree();
  if (hasBody(request)) {
    const tasktype = await readInto(tree, request, options);
    if (tasktype !== undefined) return unserved(tasktype);
  }
  const query = decodeQuery(url);
  refuseInUrl(query);
  addFields(tree, query.filter(({ name }) => !CONTROLS.has(name.toUpperCase())));
  return questionOf(tree.root, options);
}

/** The parameters that say how to answer; the rest of the query is not looked at. Throws BadRequest where one of them is malformed. */
export function controlsOf(url: string): readonly Field[] {
  if (!url.includes('?')) return [];
  const pairs = rawQuery(url).split('&').filter((pair) => CONTROLS.has(pair.replace(/=.*$/s, '').toUpperCase()));
  return decodeForm(Buffer.from(pairs.join('&')));
}

function unserved(tasktype: string): Question {
  return { tasktype: checkedTasktype(tasktype), details: undefined };
}

function rawQuery(url: string): string {
  return Buffer.from(url.slice(url.indexOf('?') + 1), 'latin1').toString('utf8');
}

/** Reads the body into the tree; or returns the task type, unread what follows it, where nobody takes it. */
async function readInto(tree: FieldTree, request: IncomingMessage, options: ReadOptions): Promise<string | undefined> {
  if (request.method !== 'POST') throw new GatewayError('BadRequest', 'only POST has a body here: send parameters in the query, or use POST');
  const type = contentTypeOf(request);
  refuseUnknownType(type);
  const body = await openBody(request, options.bodyLimit, PREFIX);
  const early = peekTasktype(body.prefix, type);
  if (early !== undefined && early !== '' && !options.isServed(early)) {
    await body.discard();
    return early;
  }
  addBody(tree, await body.whole(), type);
  return undefined;
}

function refuseUnknownType(type: ParameterisedHeader | undefined): void {
  if (type === undefined || type.value === FORM || type.value === MULTIPART || isDocumentType(type.value)) return;
  throw new GatewayError('UnsupportedMediaType', `the body must be YAML (application/yaml), JSON (application/json), ${FORM} or ${MULTIPART}`);
}

function addBody(tree: FieldTree, bytes: Buffer, type: ParameterisedHeader | undefined): void {
  if (type?.value === MULTIPART) {
    for (const part of decodeMultipart(bytes, boundaryOf(type))) tree.add(headFolded(part.name), partValue(part.bytes, part.contentType));
    return;
  }
  // `curl -d` calls everything a form.
  if (type?.value === FORM && !/^\s*(?:\{|---\s|["']?tasktype["']?\s*:)/i.test(bytes.toString('latin1', 0, 100))) {
    addFields(tree, decodeForm(bytes, type));
    return;
  }
  for (const [name, value] of Object.entries(parseMapping(decodeText(bytes, type)))) tree.add(headFolded(name), value);
}

function addFields(tree: FieldTree, fields: readonly Field[]): void {
  for (const { name, value } of fields) tree.add(headFolded(name), value);
}

/** The first member of a name in lower case: those are the note's own, which people also write in capitals. */
function headFolded(name: string): string {
  return name.replace(/^[^.[]*/, (head) => head.toLowerCase());
}

/** A part that says it is a document is one; any other is text. */
function partValue(bytes: Uint8Array, contentType: string | undefined): Value {
  const type = contentType === undefined ? undefined : parseParameterisedHeader(contentType);
  const text = decodeText(bytes, type);
  return type !== undefined && isDocumentType(type.value) ? new UploadedDocument(text, type.value) : text;
}

function questionOf(root: Branch, options: ReadOptions): Question | undefined {
  const tasktype = root['tasktype'];
  if (tasktype === undefined || tasktype === null || tasktype === '') return undefined;
  const type = checkedTasktype(oneText(tasktype));
  return { tasktype: type, details: options.isServed(type) ? detailsOf(root, options.via) : undefined };
}

function oneText(value: Value): string {
  const values = (Array.isArray(value) ? value : [value]) as readonly Value[];
  const texts = new Set(values.map((each) => (each instanceof UploadedDocument ? each.text.trim() : each)));
  const [text] = texts;
  if (texts.size === 1 && typeof text === 'string') return text;
  throw new GatewayError('BadRequest', 'tasktype must be one text', { path: 'tasktype' });
}

function checkedTasktype(text: string): string {
  const type = text.trim();
  if (type.length <= MAX_TYPE) return type;
  throw new GatewayError('BadRequest', `tasktype is longer than ${String(MAX_TYPE)} characters`, { path: 'tasktype' });
}

function detailsOf(root: Branch, via: readonly string[]): Details {
  const warnings: Warning[] = Object.keys(root)
    .filter((name) => !['tasktype', 'taskinfo', 'resources'].includes(name))
    .map((name) => ({ code: 'request.unknown', path: name.slice(0, 100), text: 'this member of the request is not known here and was not looked at' }));
  return { taskinfo: branchOf(root, 'taskinfo'), resources: branchOf(root, 'resources'), warnings, via };
}

/** A member that has members itself; also given as a document in one piece. */
function branchOf(root: Branch, name: string): Branch {
  const value = root[name];
  if (value === undefined || value === null || value === '') return EMPTY;
  if (value instanceof UploadedDocument) return parseMapping(value.text, name);
  if (typeof value === 'string') return parseMapping(value, name);
  if (isBranch(value)) return value;
  throw withoutMembers(name);
}
