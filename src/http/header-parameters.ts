/** A header value with parameters, such as `multipart/form-data; boundary="x"` (RFC 9110 §5.6.6, RFC 2183). */
export interface ParameterisedHeader {
  /** What stands before the first semicolon, in lower case. */
  readonly value: string;
  /** By name in lower case; of a repeated name, the first. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Name, then a quoted string or whatever stands before the next semicolon: clients leave out quotes that the grammar asks for. Linear
 * in the header's length: no two parts of it can take the same blanks.
 */
const PARAMETER = /\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=(?:\s*"((?:[^"\\]|\\.)*)"\s*|([^";]*))(?:;|$)|\s*(?:;|$)/gsy;

/** Reads such a header; undefined where it does not follow the grammar (a quote that is not closed, for example). */
export function parseParameterisedHeader(text: string): ParameterisedHeader | undefined {
  const end = text.indexOf(';');
  const value = (end === -1 ? text : text.slice(0, end)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  const rest = end === -1 ? '' : text.slice(end + 1);
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < rest.length) {
    const match = PARAMETER.exec(rest);
    if (match === null) return undefined;
    const name = match[1]?.toLowerCase();
    if (name === undefined || parameters.has(name)) continue;
    parameters.set(name, match[2]?.replace(/\\(.)/gs, '$1') ?? match[3]?.trim() ?? '');
  }
  return { value, parameters };
}
