import { GatewayError } from '../errors.ts';
import { parseParameterisedHeader } from './header-parameters.ts';

/** One part of a multipart/form-data body (RFC 7578). */
export interface Part {
  /** As given, a line break within it taken out; other blanks are kept. */
  readonly name: string;
  /** A claim of the client, for people only: never to be used as a path. */
  readonly filename?: string;
  /** The part's own Content-Type, where it has one. */
  readonly contentType?: string;
  /** The content, byte for byte. */
  readonly bytes: Uint8Array;
}

/** Caps on what a body may make the reader do; its bytes are capped before it gets here. */
export interface MultipartLimits {
  readonly parts: number;
  /** Bytes of one part's headers. */
  readonly headerBytes: number;
}

/** More parts than any task or job has; headers as long as the longest parameter name and file name need. */
export const MULTIPART_LIMITS: MultipartLimits = { parts: 500, headerBytes: 8192 };

const LF = 0x0a;
const CR = 0x0d;

/**
 * The parts of a multipart/form-data body, in order. Liberal where the Execution Planner note's own examples need it
 * (docs/decisions/0008-multipart.md): lines may end in LF alone, a part's name may be broken over two lines, the last line end
 * may be missing. Throws BadRequest for anything that could be read in two ways, is cut off, or exceeds `limits`.
 */
export function decodeMultipart(body: Uint8Array, boundary: string, limits: MultipartLimits = MULTIPART_LIMITS): readonly Part[] {
  const parts: Part[] = [];
  const reader = readParts(body, boundary, limits);
  for (let next = reader.next(); ; next = reader.next()) {
    if (next.done !== true) parts.push(next.value);
    else if (next.value === undefined) throw new GatewayError('BadRequest', 'multipart body: the boundary that Content-Type names does not occur in it');
    else if (!next.value.last) throw new GatewayError('BadRequest', 'multipart body: cut off, the closing boundary is missing');
    else return parts;
  }
}

/** The first part that `wanted` takes, in a body of which perhaps only the beginning is there; whatever comes after it is not looked at. */
export function findPart(beginning: Uint8Array, boundary: string, wanted: (part: Part) => boolean): Part | undefined {
  try {
    for (const part of readParts(beginning, boundary, MULTIPART_LIMITS)) if (wanted(part)) return part;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
  return undefined;
}

/** Each part that is complete; then the last delimiter, undefined where there is none at all. */
function* readParts(body: Uint8Array, boundary: string, limits: MultipartLimits): Generator<Part, Delimiter | undefined> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let delimiter = nextDelimiter(bytes, boundary, 0);
  const strip = delimiter !== undefined && bytes[delimiter.end - 2] === CR ? contentEnd : contentEndBareLf;
  for (let number = 1; delimiter !== undefined && !delimiter.last; number += 1) {
    const next = nextDelimiter(bytes, boundary, delimiter.end);
    if (next === undefined) break;
    if (number > limits.parts) throw new GatewayError('BadRequest', `multipart body: more than ${String(limits.parts)} parts`);
    yield readPart(bytes.subarray(delimiter.end, Math.max(delimiter.end, strip(bytes, next.start))), number, limits);
    delimiter = next;
  }
  return delimiter;
}

/** A delimiter line: from its first hyphen to after its line end. */
interface Delimiter {
  readonly start: number;
  readonly end: number;
  /** Whether it is the closing one. */
  readonly last: boolean;
}

/** The next line that is the delimiter and nothing else, blanks after it aside (RFC 2046 §5.1.1). */
function nextDelimiter(bytes: Buffer, boundary: string, from: number): Delimiter | undefined {
  const mark = Buffer.from(`--${boundary}`);
  for (let start = bytes.indexOf(mark, from); start !== -1; start = bytes.indexOf(mark, start + 1)) {
    if (start !== 0 && bytes[start - 1] !== LF) continue;
    let at = start + mark.length;
    const last = bytes[at] === 0x2d && bytes[at + 1] === 0x2d;
    if (last) at += 2;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at += 1;
    if (bytes[at] === CR && bytes[at + 1] === LF) return { start, end: at + 2, last };
    if (bytes[at] === LF) return { start, end: at + 1, last };
    if (at === bytes.length && last) return { start, end: at, last };
  }
  return undefined;
}

/** Where content ends that `delimiter` follows: the line end before a delimiter belongs to the delimiter. */
function contentEnd(bytes: Buffer, delimiter: number): number {
  return bytes[delimiter - 2] === CR ? delimiter - 2 : delimiter - 1;
}

/** The same in a body whose lines end in LF alone: there a CR before it is content. */
function contentEndBareLf(_bytes: Buffer, delimiter: number): number {
  return delimiter - 1;
}

function readPart(bytes: Buffer, number: number, limits: MultipartLimits): Part {
  const bad = (what: string): GatewayError => new GatewayError('BadRequest', `multipart body, part ${String(number)}: ${what}`);
  const { lines, end } = headerLines(bytes, limits.headerBytes, bad);
  const headers = readHeaders(lines, bad);
  const encoding = headers.get('content-transfer-encoding')?.trim().toLowerCase() ?? 'binary';
  if (!['7bit', '8bit', 'binary'].includes(encoding)) throw bad('Content-Transfer-Encoding must be 7bit, 8bit or binary');
  const disposition = parseParameterisedHeader(headers.get('content-disposition') ?? '');
  if (disposition?.value !== 'form-data') throw bad('it has no well-formed header Content-Disposition: form-data');
  const name = disposition.parameters.get('name');
  if (name === undefined || name === '') throw bad('it has no name');
  const filename = disposition.parameters.get('filename');
  const contentType = headers.get('content-type');
  return {
    name: unescapeName(name),
    ...(filename === undefined ? {} : { filename: unescapeName(filename) }),
    ...(contentType === undefined ? {} : { contentType }),
    bytes: bytes.subarray(end),
  };
}

type Complain = (what: string) => GatewayError;

/** The lines up to the empty one, and where the content after it begins. */
function headerLines(bytes: Buffer, limit: number, bad: Complain): { readonly lines: readonly string[]; readonly end: number } {
  for (let at = 0; at <= limit; ) {
    const lf = bytes.indexOf(LF, at);
    if (lf === -1) throw bad('no empty line ends its headers');
    const empty = lf === at || (lf === at + 1 && bytes[at] === CR);
    if (empty) return { lines: decodeHeaders(bytes.subarray(0, at), bad).split(/\r?\n/).slice(0, -1), end: lf + 1 };
    at = lf + 1;
  }
  throw bad(`its headers are longer than ${String(limit)} bytes`);
}

function decodeHeaders(bytes: Uint8Array, bad: Complain): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad('its headers are not UTF-8');
  }
}

/** Headers by name in lower case. A line that begins with a blank continues the one before, and so does any line within a quoted string. */
function readHeaders(lines: readonly string[], bad: Complain): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of unfold(lines)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name === '') throw bad('a header line has no name');
    if (headers.has(name)) throw bad(`the header ${JSON.stringify(name.slice(0, 100))} is there twice`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

function unfold(lines: readonly string[]): readonly string[] {
  const unfolded: string[][] = [];
  let quoted = false;
  for (const line of lines) {
    const piece = line.trim();
    const last = unfolded.at(-1);
    if (last !== undefined && quoted) last.push(piece);
    else if (last !== undefined && /^[ \t]/.test(line)) last.push(' ', piece);
    else unfolded.push([piece]);
    if (hasOpenQuote(piece)) quoted = !quoted;
  }
  return unfolded.map((pieces) => pieces.join(''));
}

/** Whether a quoted string begins in this line and does not end in it, or the other way round. */
function hasOpenQuote(line: string): boolean {
  return (line.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1;
}

/** Browsers write `"`, CR and LF as %22, %0D and %0A in names (HTML, multipart/form-data encoding algorithm); a line break is dropped. */
function unescapeName(text: string): string {
  const whole = /%0[AD]/i.test(text) ? text.split(/(?:%0D|%0A)+/i).map((piece) => piece.trim()).join('') : text;
  return whole.replaceAll('%22', '"');
}
