import type { ParameterisedHeader } from '../http/header-parameters.ts';
import { findPart } from '../http/multipart.ts';
import { boundaryOf, decodeForm } from '../http/request-body.ts';
import { FORM, MULTIPART } from './question-types.ts';

/** Block YAML: a key at the very left, its value plain or quoted, to the end of the line; and no line that could go on with it. */
const BLOCK = /^(?:tasktype|"tasktype"|'tasktype')[ \t]*:[ \t]+(?:"([^"\\\r\n]*)"|'([^'\r\n]*)'|([^\s"'&*!|>%@`{}[\]#,?-]\S*))(?<!:)(?:[ \t]+#[^\r\n]*)?[ \t]*(?:\r?\n)+(?=\S)/m;
/** JSON, or flow YAML: the first key. */
const FLOW = /^(?:---\s+)?\{\s*(?:tasktype|"tasktype"|'tasktype')\s*:\s*(?:"([^"\\\r\n]*)"|'([^'\r\n]*)')\s*[,}]/;

/**
 * The task type of a request, as far as the beginning of its body tells it without being parsed; undefined = parse it. A task
 * type that nobody takes ends the question, so nothing that follows it may cost anything (note §3.5). An answer here is only
 * used to say NO early, never to say yes.
 */
export function peekTasktype(beginning: Buffer, type: ParameterisedHeader | undefined): string | undefined {
  if (type?.value === MULTIPART) {
    const part = findPart(beginning, boundaryOf(type), ({ name }) => isTasktype(name));
    return part === undefined ? undefined : Buffer.from(part.bytes).toString('utf8').trim();
  }
  const text = beginning.toString('utf8').trimStart();
  if (type?.value === FORM) return peekField(text.slice(0, text.lastIndexOf('&') + 1));
  const match = FLOW.exec(text) ?? BLOCK.exec(text);
  return (match?.[1] ?? match?.[2] ?? match?.[3])?.trim();
}

/** The same of a query or a form whose every pair is whole. */
export function peekField(pairs: string): string | undefined {
  for (const pair of pairs.split('&')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || !isTasktype(pair.slice(0, equals))) continue;
    return decodeForm(Buffer.from(pair))[0]?.value.trim();
  }
  return undefined;
}

/** Names are the same in any letter case (DALI 1.1 §3.1), and a folded one is the one it was before. */
function isTasktype(name: string): boolean {
  return name.replace(/\s+/g, '').toLowerCase() === 'tasktype';
}
