import type { Instant } from '../clock.ts';
import type { LiveFacts } from '../execution/job-progress.ts';
import { formatInstant } from '../job/instant.ts';
import type { Job, JobSummary } from '../job/job.ts';
import { JOB_INFO_NAMESPACE, type JobFacts, factsOf } from './job-info.ts';
import { isByReference, isSecret } from './job-parameters.ts';
import type { JobUrls } from './urls.ts';
import { NIL, UWS_NAMESPACES, UWS_VERSION, type XmlContent, type XmlElement, xmlDocument, xmlFragment, xmlText } from './xml.ts';

/** The job document (UWS.xsd JobSummary; the order of the elements is the schema's). */
export function jobToXml(job: Job, urls: JobUrls, live?: LiveFacts): string {
  return xmlDocument('uws:job', {
    $: { ...UWS_NAMESPACES, 'xmlns:job': JOB_INFO_NAMESPACE, version: UWS_VERSION },
    'uws:jobId': job.id,
    ...(job.runId === null ? {} : { 'uws:runId': xmlText(job.runId) }),
    'uws:ownerId': job.owner === null ? NIL : xmlText(job.owner),
    'uws:phase': job.phase,
    'uws:quote': instant(job.quote),
    'uws:creationTime': formatInstant(job.creationTime),
    'uws:startTime': instant(job.startTime),
    'uws:endTime': instant(job.endTime),
    'uws:executionDuration': String(job.executionDuration),
    'uws:destruction': instant(job.destruction),
    'uws:parameters': parameters(job, urls),
    'uws:results': results(job, urls),
    ...errorSummary(job),
    ...jobInfo(factsOf(job, live)),
  });
}

/** The parameters alone. A standalone list has no version (uws.md 1.8). */
export function parametersToXml(job: Job, urls: JobUrls): string {
  return xmlDocument('uws:parameters', { $: UWS_NAMESPACES, ...parameters(job, urls) });
}

/** The results alone. */
export function resultsToXml(job: Job, urls: JobUrls): string {
  return xmlDocument('uws:results', { $: UWS_NAMESPACES, ...results(job, urls) });
}

/** One entry of the job list. */
export function jobrefToXml(job: JobSummary, urls: JobUrls): string {
  return xmlFragment('uws:jobref', {
    $: { id: job.id, 'xlink:type': 'simple', 'xlink:href': urls.job(job.id) },
    'uws:phase': job.phase,
    ...(job.runId === null ? {} : { 'uws:runId': xmlText(job.runId) }),
    'uws:ownerId': job.owner === null ? NIL : xmlText(job.owner),
    'uws:creationTime': formatInstant(job.creationTime),
  });
}

function instant(value: Instant | null): XmlContent {
  return value === null ? NIL : formatInstant(value);
}

function parameters(job: Job, urls: JobUrls): XmlElement {
  const elements = job.parameters.map((parameter): XmlElement => {
    const id = xmlText(parameter.name);
    if (isSecret(parameter)) return { $: { id, isPost: 'true' } };
    if (isByReference(parameter)) return { $: { id, byReference: 'true' }, _: urls.parameter(job.id, parameter.name) };
    return { $: { id }, _: parameter.value };
  });
  return elements.length === 0 ? {} : { 'uws:parameter': elements };
}

function results(job: Job, urls: JobUrls): XmlElement {
  const elements = job.results.map((result): XmlElement => ({
    $: {
      id: xmlText(result.id),
      'xlink:type': 'simple',
      'xlink:href': urls.result(job.id, result.id),
      ...(result.size === undefined ? {} : { size: String(result.size) }),
      'mime-type': xmlText(result.mediaType),
    },
  }));
  return elements.length === 0 ? {} : { 'uws:result': elements };
}

function errorSummary({ error }: Job): XmlElement {
  if (error === null) return {};
  return { 'uws:errorSummary': { $: { type: error.type, hasDetail: 'true' }, 'uws:message': xmlText(error.message) } };
}

function jobInfo(facts: JobFacts): XmlElement {
  const names = Object.entries(facts);
  if (names.length === 0) return {};
  const elements = names.map(([name, value]) => [`job:${name}`, typeof value === 'object' ? value.map(xmlText) : xmlText(String(value))]);
  return { 'uws:jobInfo': Object.fromEntries(elements) as XmlElement };
}
