import { GatewayError } from '../errors.ts';

/** Deeper than any document of ours; what is deeper wants something else. */
const MAX_DEPTH = 32;

/** A string, a bracket, or a comma: all that is needed to see keys in a text that is known to be JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/**
 * A JSON text's value. Throws BadRequest where it is none, nests deeper than 32, or gives a key twice in one object: readers
 * differ in which of the two they believe.
 */
export function parseJsonBody(text: string): unknown {
  const value = parse(text);
  const open: (Set<string> | undefined)[] = [];
  let last: string | undefined;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':' && last !== undefined) refuseRepeated(open.at(-1), String(JSON.parse(last)));
    if (open.length > MAX_DEPTH) throw new GatewayError('BadRequest', `the JSON document nests deeper than ${String(MAX_DEPTH)}`);
    last = token.startsWith('"') ? token : undefined;
  }
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new GatewayError('BadRequest', `the document is not JSON${position === undefined ? '' : ` (character ${position})`}`, { cause: error });
  }
}

function refuseRepeated(keys: Set<string> | undefined, key: string): void {
  if (keys?.has(key)) throw new GatewayError('BadRequest', `the JSON document gives ${JSON.stringify(key.slice(0, 100))} twice in one object`);
  keys?.add(key);
}
