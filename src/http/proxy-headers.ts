import type { IncomingHttpHeaders } from 'node:http';

/**
 * What a caller's request may bring to a stranger's program. A list of what passes, so that no credential of a kind that nobody thought of
 * does: neither Authorization nor Cookie, nothing of proxies in front of us, nothing that frames the message (Node frames it anew).
 */
const PASSED_ON: ReadonlySet<string> = new Set([
  'accept', 'accept-encoding', 'accept-language', 'content-encoding', 'content-language', 'content-type', 'if-match', 'if-modified-since', 'if-none-match',
  'if-range', 'if-unmodified-since', 'range', 'user-agent', 'x-requested-with',
]);
const WEBSOCKET_ASKS: ReadonlySet<string> = new Set(['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-protocol', 'sec-websocket-extensions']);

/** What a stranger's program may say to a browser that talks to us: nothing that sets, clears, redirects, reports, or allows. */
const PASSED_BACK: ReadonlySet<string> = new Set([
  'accept-ranges', 'allow', 'content-disposition', 'content-encoding', 'content-language', 'content-length', 'content-range', 'content-type', 'etag', 'last-modified', 'retry-after',
]);
const WEBSOCKET_ANSWERS: ReadonlySet<string> = new Set(['sec-websocket-accept', 'sec-websocket-protocol', 'sec-websocket-extensions']);

/** Pages of jobs have an origin of their own that nobody shares: their scripts run, and cannot act as the gateway's user. */
const PAGE_POLICY = 'sandbox allow-scripts allow-forms allow-downloads';

/** Where a request came in, as the program behind learns it. */
export interface ProxiedPlace {
  /** `https` or `http`, and the host, of the gateway's public URL. */
  readonly protocol: string;
  readonly host: string;
  /** Path of the endpoint under that host, without a slash at its end. */
  readonly prefix: string;
  /** Host and port as the program itself sees them. */
  readonly internal: string;
}

/** The headers of the request to the job. */
export function requestHeaders(given: IncomingHttpHeaders, place: ProxiedPlace, websocket: boolean): Record<string, string | string[]> {
  const length = given['content-length'];
  return {
    ...picked(given, PASSED_ON),
    ...(websocket ? { ...picked(given, WEBSOCKET_ASKS), connection: 'Upgrade', upgrade: 'websocket' } : {}),
    // said in every case: Node would send the body of a GET without any frame
    ...(length === undefined || websocket ? {} : { 'content-length': length }),
    ...(given['transfer-encoding'] === undefined || websocket ? {} : { 'transfer-encoding': 'chunked' }),
    host: place.internal,
    'x-forwarded-host': place.host,
    'x-forwarded-proto': place.protocol,
    'x-forwarded-prefix': place.prefix,
  };
}

/** The headers of the answer to the caller. */
export function answerHeaders(given: IncomingHttpHeaders, place: ProxiedPlace): Record<string, string | string[]> {
  const location = given.location === undefined ? undefined : ownLocation(given.location, place);
  return {
    ...picked(given, PASSED_BACK),
    ...(location === undefined ? {} : { location }),
    'cache-control': 'no-store',
    'content-security-policy': PAGE_POLICY,
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
}

/** The headers of the answer to a WebSocket's handshake. */
export function websocketHeaders(given: IncomingHttpHeaders): Record<string, string | string[]> {
  return { ...picked(given, WEBSOCKET_ANSWERS), connection: 'Upgrade', upgrade: 'websocket' };
}

/** A redirect within the endpoint, as the caller has to follow it; undefined where it leads elsewhere. */
function ownLocation(location: string, { internal, host, protocol, prefix }: ProxiedPlace): string | undefined {
  const own = new Set([`http://${internal}`, `${protocol}://${host}`]);
  if (!/^[\x21-\x7e]+$/.test(location) || location.includes('\\')) return undefined;
  if (location.startsWith('//') || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(location)) {
    if (!URL.canParse(location, `http://${internal}`)) return undefined;
    const url = new URL(location, `http://${internal}`);
    if (!own.has(url.origin)) return undefined;
    return ownLocation(url.pathname + url.search + url.hash, { internal, host, protocol, prefix });
  }
  if (!location.startsWith('/')) return location.split('/').includes('..') ? undefined : location;
  const path = new URL(location, `http://${internal}`);
  const inside = path.pathname + path.search + path.hash;
  return path.pathname === prefix || path.pathname.startsWith(`${prefix}/`) ? inside : prefix + inside;
}

function picked(given: IncomingHttpHeaders, names: ReadonlySet<string>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string | string[]] => names.has(entry[0]) && entry[1] !== undefined));
}
