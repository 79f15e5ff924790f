/** One challenge of a WWW-Authenticate header: RFC 9110 §11.6.1. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** More than any registry says. */
const MAX_LENGTH = 8 * 1024;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;
/** White space and commas, of which there may be any number between the elements of a list. */
const SEPARATOR = /[ \t,]*/y;

/**
 * All challenges of a header, which may be the sum of several headers. A parameter belongs to the scheme before it; what
 * follows something unreadable is not believed, so the list ends there.
 */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  if (header === undefined || header.length > MAX_LENGTH) return challenges;
  const reader = new Reader(header);
  for (;;) {
    reader.take(SEPARATOR);
    const name = reader.take(TOKEN)?.toLowerCase();
    if (name === undefined) return challenges;
    const value = parameterValue(reader);
    if (value === undefined) challenges.push({ scheme: name, parameters: new Map() });
    else if (value === null) return challenges;
    else if (challenges.at(-1)?.parameters.has(name) === false) challenges.at(-1)?.parameters.set(name, value);
  }
}

/** The value after "="; undefined where there is no "=", so that the token was a scheme; null where it cannot be read. */
function parameterValue(reader: Reader): string | null | undefined {
  const start = reader.at;
  reader.take(SPACE);
  if (reader.take(/=/y) === undefined) {
    reader.at = start;
    return undefined;
  }
  reader.take(SPACE);
  const token = reader.take(TOKEN);
  if (token !== undefined) return token;
  const quoted = reader.take(QUOTED);
  return quoted === undefined ? null : quoted.slice(1, -1).replace(/\\(.)/g, '$1');
}

class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** What the sticky pattern matches here. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.at += match.length;
    return match;
  }
}
