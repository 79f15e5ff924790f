import { Builder } from 'xml2js';
import type { Handler } from '../http/handler.ts';
import { formatInstant } from '../job/instant.ts';
import type { Instant } from '../clock.ts';
import type { RecordConfig } from './planner-config.ts';

/**
 * What this service's Execution Planner is called in records. Of our own making and not registered with the IVOA: the note
 * promises a standard identifier (§8.2) and gives none.
 */
export const PLANNER_STANDARD_ID = 'ivo://pratique.dev/std/ExecutionPlanner';
const ABOUT_PLANNER = 'IVOA Execution Planner (note of 2021-10-14); the identifier is not registered';

/** What /capabilities says of the planner. */
export function plannerCapability(baseUrl: string): { readonly standardID: string; readonly url: string; readonly description: string } {
  return { standardID: PLANNER_STANDARD_ID, url: `${baseUrl}/accepts`, description: ABOUT_PLANNER };
}

/** The job list that runs containers ("UWS-CE", which the note cites and nobody wrote); plain UWS beside it. */
export const CONTAINER_UWS_STANDARD_ID = 'ivo://pratique.dev/std/UWS-CE';

const UWS_STANDARD_ID = 'ivo://ivoa.net/std/UWS#rest-1.1';
const VOSI = 'ivo://ivoa.net/std/VOSI';

export interface RecordParts {
  /** The gateway's public URL, without a slash at its end. */
  readonly baseUrl: string;
  readonly jobList?: string;
  /** When the record was last changed: at the latest when this process began, since it is made from the configuration. */
  readonly updated: Instant;
}

const builder = new Builder({ xmldec: { version: '1.0', encoding: 'UTF-8' } });

/** `GET /record`: the VOResource record, for the operator to hand to a publishing registry. */
export function serveRecord(config: RecordConfig, parts: RecordParts): Handler {
  const text = recordToXml(config, parts);
  return function answerRecord(ctx) {
    ctx.res.setHeader('Content-Type', 'text/xml; charset=utf-8');
    ctx.body = text;
  };
}

/** The record of this service (VOResource 1.1 and later, as a vr:Service). */
export function recordToXml(config: RecordConfig, { baseUrl, jobList, updated }: RecordParts): string {
  const { title, shortName, identifier, created } = config;
  return builder.buildObject({
    'ri:Resource': {
      $: {
        'xmlns:ri': 'http://www.ivoa.net/xml/RegistryInterface/v1.0',
        'xmlns:vr': 'http://www.ivoa.net/xml/VOResource/v1.0',
        'xmlns:vs': 'http://www.ivoa.net/xml/VODataService/v1.1',
        'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
        'xsi:type': 'vr:Service',
        status: 'active',
        created: `${created}T00:00:00Z`,
        updated: formatInstant(updated),
      },
      title,
      ...(shortName === undefined ? {} : { shortName }),
      identifier,
      curation: curation(config),
      content: content(config),
      capability: [
        capability(PLANNER_STANDARD_ID, `${baseUrl}/accepts`, ABOUT_PLANNER),
        ...(jobList === undefined
          ? []
          : [capability(CONTAINER_UWS_STANDARD_ID, jobList, 'UWS that runs containers; the identifier is not registered'), capability(UWS_STANDARD_ID, jobList)]),
        capability(`${VOSI}#capabilities`, `${baseUrl}/capabilities`),
        capability(`${VOSI}#availability`, `${baseUrl}/availability`),
      ],
    },
  });
}

function curation({ publisher, creator, contact }: RecordConfig): object {
  return {
    publisher,
    ...(creator === undefined ? {} : { creator: { name: creator } }),
    contact: { name: contact.name, ...(contact.email === undefined ? {} : { email: contact.email }) },
  };
}

function content({ subjects, description, referenceUrl }: RecordConfig): object {
  return { subject: subjects, description, referenceURL: referenceUrl, type: 'Other' };
}

function capability(standardID: string, url: string, description?: string): object {
  return {
    $: { standardID },
    ...(description === undefined ? {} : { description }),
    interface: { $: { 'xsi:type': 'vs:ParamHTTP', role: 'std' }, accessURL: { $: { use: 'full' }, _: url } },
  };
}
