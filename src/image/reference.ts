import { GatewayError } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';
import { quoted } from './quoted.ts';

/**
 * A parsed and normalised image name. `domain` is the registry's host in lower case, with its port unless that is the
 * default one; `path` the repository. At least one of tag and digest is there; the digest wins.
 */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/*
 * Grammar of github.com/distribution/reference (regexp.go, reference.go) and Docker's normalisation (normalize.go):
 *
 *   reference       = name [ ":" tag ] [ "@" digest ]
 *   name            = [ domain "/" ] path-component { "/" path-component }
 *   domain          = host [ ":" port ]
 *   host            = label { "." label }             label = alphanumeric, hyphens inside
 *   path-component  = [a-z0-9]+ { separator [a-z0-9]+ }   separator = "." | "_" | "__" | one or more "-"
 *   tag             = [A-Za-z0-9_] then up to 127 of [A-Za-z0-9_.-]
 *
 * It is closed on whatever the engine's older grammar (docker/distribution 2.8) or the current one refuses: IPv6 hosts,
 * names longer than 255 with their domain, hosts in upper case. Beyond both it refuses what two readers could take for two
 * registries: hosts that are numbers in disguise, ports that are none, digests other than SHA-256.
 */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** What the WHATWG URL standard, and inet_aton, take for a number at the end of a host. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

/** Longest reference that is looked at (characters): a name of 255, a tag of 128 and a digest fit. */
const MAX_INPUT = 512;
/** Longest domain "/" path (docker/distribution 2.8; distribution-spec 1.1 advises it). */
const MAX_NAME = 255;

/** Docker Hub's name in references; its registry answers at another host. */
export const DOCKER_HUB = 'docker.io';
const HTTPS_PORT = '443';
/** Other names of Docker Hub's registry. One registry, one name: otherwise a rule for one would not hold for the others. */
const DOCKER_HUB_ALIASES: ReadonlySet<string> = new Set([
  DOCKER_HUB,
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
]);

/**
 * `text` as a person writes it, normalised as Docker does (`alpine` is `docker.io/library/alpine:latest`).
 * Throws BadReference; the message says what is wrong.
 */
export function parseReference(text: string): Reference {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Flaw)) throw error;
    throw new GatewayError('BadReference', `the image reference ${quoted(text)} is not valid: ${error.message}`);
  }
}

/** The registry's host, normalised as in a reference's `domain`. Throws BadReference. */
export function parseDomain(text: string): string {
  try {
    return normaliseDomain(text);
  } catch (error) {
    if (!(error instanceof Flaw)) throw error;
    throw new GatewayError('BadReference', `the registry host ${quoted(text)} is not valid: ${error.message}`);
  }
}

/** The whole reference, tag and digest as they are. `parseReference` of it gives the same reference. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.domain}/${reference.path}${tag}${digest}`;
}

/** As people write it, without `docker.io/` and `library/` where that still means the same. For answers, never for comparison. */
export function familiarReference(reference: Reference): string {
  const text = formatReference(reference);
  if (reference.domain !== DOCKER_HUB) return text;
  const path = text.slice(DOCKER_HUB.length + 1);
  const short = /^library\/[^/]+$/.test(reference.path) ? path.slice('library/'.length) : path;
  return means(short, text) ? short : text;
}

/** The image docker.io/library/sha256 with a tag of 64 hex digits, for one, turns into an id without its host. */
function means(short: string, text: string): boolean {
  try {
    return formatReference(parse(short)) === text;
  } catch {
    return false;
  }
}

/** `domain/path@digest`: the one form that an engine is given, since it leaves nothing to choose. */
export function pinnedReference(reference: Reference, digest: Digest): string {
  return `${reference.domain}/${reference.path}@${digest}`;
}

/** What is wrong with a reference; becomes the end of an error's sentence. */
class Flaw extends Error {}

function parse(text: string): Reference {
  if (text === '') throw new Flaw('it is empty');
  if (text.length > MAX_INPUT) throw new Flaw(`it is longer than ${MAX_INPUT} characters`);
  if (/[^\x21-\x7e]/.test(text)) throw new Flaw('it has a blank, or another character that is not printable ASCII');
  // Docker takes both for the id of an image that its engine has, which nobody has judged.
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(text)) throw new Flaw('it is an image id, not a name');
  const { name, tag, digest } = split(text);
  const { domain, path } = normaliseName(name);
  if (domain === DOCKER_HUB) checkHubPath(path);
  // The older grammar counts before the default port is removed, the engine is given what is left: both must fit.
  if (Math.max(name.length, `${domain}/${path}`.length) > MAX_NAME) throw new Flaw(`registry host and repository are together longer than ${MAX_NAME} characters`);
  return {
    domain,
    path,
    ...(tag === undefined && digest === undefined ? { tag: 'latest' } : {}),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function checkHubPath(path: string): void {
  if (path === 'library/scratch') throw new Flaw('"scratch" is a reserved word, not an image');
  // The engine shows docker.io/ghcr.io/a as ghcr.io/a: two images by one name. Docker Hub has no such namespaces.
  if (/^(?:[^/]*\.[^/]*|localhost)\//.test(path)) throw new Flaw('the first part of the Docker Hub repository reads like a registry host');
}

function split(text: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0) throw new Flaw('it has more than one "@"');
  if (digest !== undefined && !isDigest(digest)) throw new Flaw('the digest must be sha256: and 64 lower-case hex digits');
  // A colon before the last slash belongs to the host's port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  if (colon === -1) return { name: named, tag: undefined, digest };
  const tag = named.slice(colon + 1);
  if (!TAG.test(tag)) throw new Flaw('the tag must be 1 to 128 letters, digits, "_", "." or "-" and not begin with "." or "-"');
  return { name: named.slice(0, colon), tag, digest };
}

function normaliseName(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  const hasDomain = slash !== -1 && (/[.:A-Z]/.test(first) || first === 'localhost');
  const domain = hasDomain ? normaliseDomain(first) : DOCKER_HUB;
  const rest = hasDomain ? name.slice(slash + 1) : name;
  if (rest === '') throw new Flaw('the repository is missing');
  if (/[A-Z]/.test(rest)) throw new Flaw('the repository must be in lower case');
  if (!PATH.test(rest)) throw new Flaw('the repository has a part that is not letters and digits separated by ".", "_", "__" or "-"');
  return { domain, path: domain === DOCKER_HUB && !rest.includes('/') ? `library/${rest}` : rest };
}

function normaliseDomain(text: string): string {
  const [host = '', port, ...more] = text.split(':');
  // Accepted by the current grammar only; an engine of the older one would refuse what was judged.
  if (text.startsWith('[')) throw new Flaw('IPv6 hosts are not supported');
  if (text.includes('/')) throw new Flaw('it is the host alone, such as registry.example.org or localhost:5000, without https:// and without a path');
  if (more.length > 0) throw new Flaw('the registry host has more than one ":"');
  if (/[A-Z]/.test(host)) throw new Flaw('the registry host must be in lower case');
  if (!HOST.test(host)) throw new Flaw('the registry host is not a host name');
  // 0x7f.1, 0177.0.0.1, 127.1 and 2130706433 are all 127.0.0.1 to whoever connects, and none of them to who compares.
  if (ENDS_IN_NUMBER.test(host) && !IPV4.test(host)) throw new Flaw('the registry host is a number but not an IPv4 address a.b.c.d');
  if (port !== undefined && !isPort(port)) throw new Flaw('the port must be 1 to 65535, without leading zeros');
  if (DOCKER_HUB_ALIASES.has(host) && (port === undefined || port === HTTPS_PORT)) return DOCKER_HUB;
  // Without a dot the port is what makes it a host at all: `cache:443/x` and `cache/x` are two registries.
  const named = host.includes('.') || host === 'localhost';
  if (port === undefined || (port === HTTPS_PORT && named)) return host;
  return `${host}:${port}`;
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;
}
