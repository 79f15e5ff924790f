import { GatewayError } from '../errors.ts';
import { quoted } from './quoted.ts';
import { DOCKER_HUB, parseDomain, type Reference } from './reference.ts';

/** A compiled pattern of a policy: `ghcr.io/astro/*:1.*`. */
export interface ReferencePattern {
  /** As the policy spells it. */
  readonly text: string;
  /** Whether the reference's registry, repository and (where the pattern has one) tag match. */
  matches(reference: Reference): boolean;
}

const MAX_PATTERN = 512;
const TAG_PATTERN = /^[A-Za-z0-9_.*-]{1,128}$/;
const COMPONENT_PATTERN = /^[a-z0-9._*-]+$/;

/**
 * Compiles `host/path/components[:tag]`, to be matched against the parts of a normalised reference, never against its
 * text. In host: a name as in a reference, or `*.example.org` for exactly one label in front of it; the port must agree.
 * In the path: `*` stands for any characters within one component, `**` alone for one component or more. In the tag: `*`
 * for any characters. A pattern without tag matches any tag and any digest. One with a tag matches only references that
 * have a tag and no digest: beside a digest, which wins, the tag is an unchecked claim.
 * Throws BadReference; the message says what is wrong.
 */
export function compileReferencePattern(text: string): ReferencePattern {
  const refuse = (why: string): never => {
    throw new GatewayError('BadReference', `the image pattern ${quoted(text)} is not valid: ${why}`);
  };
  if (text.length > MAX_PATTERN) refuse(`it is longer than ${MAX_PATTERN} characters`);
  if (text.includes('@')) refuse('digests cannot be part of a pattern');
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(slash, 0));
  if (!/[.:]/.test(host) && host !== 'localhost') refuse('it must begin with a registry host and "/"');
  const rest = text.slice(slash + 1);
  const colon = rest.indexOf(':');
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !TAG_PATTERN.test(tag)) refuse('the tag may have letters, digits, "_", ".", "-" and "*"');
  const hostMatches = compileHost(host, refuse);
  const pathMatches = compilePath(colon === -1 ? rest : rest.slice(0, colon), hostMatches(DOCKER_HUB), refuse);
  return {
    text,
    matches: (reference) =>
      hostMatches(reference.domain) && pathMatches(reference.path) && (tag === undefined || tagMatches(tag, reference)),
  };
}

type Refuse = (why: string) => never;

function compileHost(host: string, refuse: Refuse): (domain: string) => boolean {
  const wild = host.startsWith('*.');
  const name = wild ? host.slice(2) : host;
  if (name.includes('*')) refuse('"*" in the host is only possible as its whole first label');
  if (wild && !name.includes('.')) refuse('"*." must be followed by a name of at least two labels');
  const domain = normalisedHost(name, refuse);
  if (!wild) return (other) => other === domain;
  if (/^[\d.]+(?::|$)/.test(domain)) refuse('"*." cannot stand before an address');
  if (domain === DOCKER_HUB) refuse('Docker Hub has one host: docker.io');
  // One label only, as in certificates: who means deeper names writes them.
  return (other) => other.endsWith(`.${domain}`) && !other.slice(0, -domain.length - 1).includes('.');
}

function normalisedHost(name: string, refuse: Refuse): string {
  try {
    return parseDomain(name);
  } catch (error) {
    return refuse(error instanceof GatewayError ? error.message : 'the host is not valid');
  }
}

function compilePath(path: string, hub: boolean, refuse: Refuse): (path: string) => boolean {
  const given = path.split('/');
  // As in a reference: docker.io/alpine is docker.io/library/alpine.
  const components = hub && given.length === 1 && given[0] !== '**' ? ['library', ...given] : given;
  for (const component of components) {
    if (component === '') refuse('a component of the path is empty');
    if (/[A-Z]/.test(component)) refuse('the path must be in lower case');
    if (!COMPONENT_PATTERN.test(component)) refuse('the path may have lower-case letters, digits, ".", "_", "-" and "*"');
    if (component !== '**' && component.includes('**')) refuse('"**" must be a whole component of the path');
  }
  // "**" takes one component or more: one here, the further ones where the wildcard stands.
  const pattern = components.flatMap((component) => (component === '**' ? ['*', '**'] : [component]));
  return (other) => wildcardMatches(pattern, other.split('/'), '**', componentMatches);
}

function componentMatches(pattern: string, component: string): boolean {
  return wildcardMatches([...pattern], [...component], '*', (a, b) => a === b);
}

function tagMatches(pattern: string, reference: Reference): boolean {
  return reference.tag !== undefined && reference.digest === undefined && componentMatches(pattern, reference.tag);
}

/**
 * Whether `items` match `pattern`, where `wildcard` stands for any number of items. Goes back to the last wildcard only,
 * so that no pattern takes more than pattern × items steps; a regular expression would not promise that.
 */
function wildcardMatches(
  pattern: readonly string[],
  items: readonly string[],
  wildcard: string,
  same: (pattern: string, item: string) => boolean,
): boolean {
  let p = 0;
  let i = 0;
  let star = -1;
  let resume = 0;
  while (i < items.length) {
    const wanted = pattern[p];
    if (wanted === wildcard) {
      star = p;
      resume = i;
      p += 1;
    } else if (wanted !== undefined && same(wanted, items[i] ?? '')) {
      p += 1;
      i += 1;
    } else if (star !== -1) {
      resume += 1;
      p = star + 1;
      i = resume;
    } else return false;
  }
  return pattern.slice(p).every((left) => left === wildcard);
}
