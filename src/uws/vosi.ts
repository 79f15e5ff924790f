import { Router } from '@koa/router';
import type { Handler } from '../http/handler.ts';
import { formatInstant } from '../job/instant.ts';
import type { Instant } from '../clock.ts';
import { callerOf } from '../http/request-caller.ts';
import type { ParameterDescription } from '../task/parameter.ts';
import { answer } from './answer.ts';
import { parametersToVoDataService } from './vosi-parameters.ts';
import { type XmlElement, xmlDocument, xmlText } from './xml.ts';

/** Whether the gateway takes work at present, and if not, why (VOSI 1.1 §4). */
export interface Availability {
  readonly available: boolean;
  /** For people: what is wrong. */
  readonly notes: readonly string[];
}

/** How clients log in; where there is none of this, nobody can. */
export interface LogIn {
  /** Identifiers of the ways (SSO 2.0), best first. */
  readonly securityMethods: readonly string[];
  /** WWW-Authenticate for who is not logged in but could be, one challenge each. */
  readonly challenges: readonly string[];
  /** Whether jobs can be had without. */
  readonly anonymous: boolean;
  /** RFC 9728's document; undefined where no tokens are taken. */
  readonly protectedResource: object | undefined;
}

/** Something else that is served here. */
export interface Capability {
  readonly standardID: string;
  readonly url: string;
  /** For a person. */
  readonly description: string;
}

/** What the VOSI documents are made of. */
export interface VosiParts {
  /** The gateway's public URL. */
  readonly baseUrl: string;
  /** The job lists: absolute URL, and what each takes. */
  readonly lists: readonly { readonly url: string; readonly parameters: readonly ParameterDescription[] }[];
  /** When this process began to serve. */
  readonly upSince: Instant;
  readonly availability: () => Availability | Promise<Availability>;
  readonly logIn?: LogIn;
  /** What is served beside the lists: identifiers, which may be of our own and then say so in words, and absolute URLs. */
  readonly others?: readonly Capability[];
}

/** The VOSI endpoints (VOSI 1.1, DALI 1.1 §2.3), at the root and as siblings of the job lists. */
export function vosiRoutes(parts: VosiParts): Router {
  const router = new Router({ sensitive: true });
  router.get(['/capabilities', '/uws/capabilities'], getCapabilities(parts));
  router.get(['/availability', '/uws/availability'], getAvailability(parts));
  const resource = parts.logIn?.protectedResource;
  if (resource !== undefined) router.get('/.well-known/oauth-protected-resource', (ctx) => answer(ctx, 'json', JSON.stringify(resource)));
  return router;
}

function getCapabilities(parts: VosiParts): Handler {
  return function getCapabilities(ctx) {
    ctx.res.setHeader('Last-Modified', new Date(parts.upSince).toUTCString());
    // AuthVO: an answer with a challenge means that logging in is possible, and not necessary
    const { challenges = [] } = parts.logIn ?? {};
    if (challenges.length > 0 && callerOf(ctx).id === null) ctx.res.setHeader('WWW-Authenticate', [...challenges]);
    answer(ctx, 'xml', capabilitiesToXml(parts));
  };
}

function getAvailability(parts: VosiParts): Handler {
  return async function getAvailability(ctx) {
    answer(ctx, 'xml', availabilityToXml(await parts.availability(), parts.upSince));
  };
}

/** The availability document (VOSIAvailability v1.0). */
export function availabilityToXml({ available, notes }: Availability, upSince: Instant): string {
  return xmlDocument('vosi:availability', {
    $: { 'xmlns:vosi': 'http://www.ivoa.net/xml/VOSIAvailability/v1.0' },
    'vosi:available': String(available),
    'vosi:upSince': formatInstant(upSince),
    ...(notes.length === 0 ? {} : { 'vosi:note': notes.map(xmlText) }),
  });
}

/** The capabilities document: the VOSI endpoints, every job list and what else there is. */
export function capabilitiesToXml({ baseUrl, lists, others = [], logIn }: VosiParts): string {
  return xmlDocument('vosi:capabilities', {
    $: {
      'xmlns:vosi': 'http://www.ivoa.net/xml/VOSICapabilities/v1.0',
      'xmlns:vs': 'http://www.ivoa.net/xml/VODataService/v1.1',
      'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
    },
    capability: [
      capability('ivo://ivoa.net/std/VOSI#capabilities', `${baseUrl}/capabilities`),
      capability('ivo://ivoa.net/std/VOSI#availability', `${baseUrl}/availability`),
      ...others.map(({ standardID, url, description }) => ({ $: { standardID }, description: xmlText(description), interface: waysIn(logIn).map((method) => standardInterface(url, method)) })),
      ...lists.map(({ url, parameters }) => ({ ...capability('ivo://ivoa.net/std/UWS#rest-1.1', url), interface: waysIn(logIn).map((method) => ({ ...standardInterface(url, method, 'base'), ...parametersToVoDataService(parameters) })) })),
    ],
  });
}

function capability(standardID: string, url: string): XmlElement {
  return { $: { standardID }, interface: standardInterface(url, undefined) };
}

/**
 * VOResource 1.3: an interface has one way to log in at most, and one without says that none is needed. `base` = so are the URLs below
 * this one: pyvo sends credentials nowhere else.
 */
function standardInterface(url: string, method: string | undefined, use: 'full' | 'base' = 'full'): XmlElement {
  return {
    $: { 'xsi:type': 'vs:ParamHTTP', role: 'std' },
    accessURL: { $: { use }, _: xmlText(url) },
    ...(method === undefined ? {} : { securityMethod: { $: { standardID: method } } }),
  };
}

function waysIn(logIn: LogIn | undefined): readonly (string | undefined)[] {
  return logIn === undefined ? [undefined] : [...(logIn.anonymous ? [undefined] : []), ...logIn.securityMethods];
}
