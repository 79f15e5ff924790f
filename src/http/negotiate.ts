import { LRUCache } from 'lru-cache';

/** How much a client wants each representation: 0 = not at all, 1 = most (RFC 9110 §12.5.1); a named one a hair more than others. */
export interface Preferences {
  readonly xml: number;
  readonly json: number;
  /** text/plain: what atoms and errors are. */
  readonly text: number;
  /** 0 too for clients that name text/html only because their library always does. */
  readonly html: number;
  readonly yaml: number;
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

/** Few different headers are ever sent; the bound is for those who send many on purpose. */
const cache = new LRUCache<string, Preferences>({ max: 200 });

/** What the Accept header prefers. No header, or one that says nothing understandable, accepts everything. */
export function preferences(accept: string | undefined): Preferences {
  const header = accept ?? '*/*';
  let known = cache.get(header);
  if (known === undefined) {
    known = read(header);
    if (header.length < 1000) cache.set(header, known);
  }
  return known;
}

/** Whether JSON is preferred to XML and plain text; ties go to those (UWS 1.1 §2.2: XML is the default). */
export function prefersJson(accept: string | undefined): boolean {
  const { json, xml, text } = preferences(accept);
  return json > xml && json > text;
}

function read(header: string): Preferences {
  const ranges = header.split(',').map(readRange).filter((range) => range !== undefined);
  const quality = (...types: readonly string[]): number => Math.max(...types.map((type) => qualityOf(ranges, type)));
  return {
    xml: quality('text/xml', 'application/xml'),
    json: quality('application/json', 'application/problem+json'),
    text: quality('text/plain'),
    html: isBrowser(ranges) ? quality('text/html', 'application/xhtml+xml') : 0,
    yaml: quality('application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'),
  };
}

/**
 * Java's URL connections (STILTS, TOPCAT) ask for `text/html, image/gif, image/jpeg, *; q=.2` whatever they read; browsers name
 * XHTML too, and a person who wants HTML names nothing else.
 */
function isBrowser(ranges: readonly Range[]): boolean {
  return ranges.some(({ type }) => type === 'application/xhtml+xml') || ranges.every(({ type }) => type === 'text/html');
}

function readRange(text: string): Range | undefined {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  if (!/^[^\s/]+\/[^\s/]+$/.test(type)) return undefined;
  const q = parameters.find((parameter) => /^q\s*=/.test(parameter));
  const quality = q === undefined ? 1 : Number(q.slice(q.indexOf('=') + 1));
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** Less than any two qualities differ by (RFC 9110 §12.4.2: three digits). */
const HAIR = 0.0001;

/**
 * The most specific range that matches decides. What is named is wanted a hair more than what only a wildcard stands for: portals
 * whose library sends `application/json, text/plain, *\/*` read JSON.
 */
function qualityOf(ranges: readonly Range[], type: string): number {
  const of = (wanted: string): number | undefined => ranges.find((range) => range.type === wanted)?.quality;
  return of(type) ?? Math.max(0, (of(`${type.slice(0, type.indexOf('/'))}/*`) ?? of('*/*') ?? 0) - HAIR);
}
