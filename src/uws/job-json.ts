import type { Instant } from '../clock.ts';
import type { LiveFacts } from '../execution/job-progress.ts';
import { formatInstant } from '../job/instant.ts';
import type { Job, JobSummary, Parameter } from '../job/job.ts';
import { factsOf } from './job-info.ts';
import { isByReference, isMultiple, isSecret } from './job-parameters.ts';
import type { JobUrls } from './urls.ts';
import { UWS_VERSION } from './xml.ts';

/** The job document in JSON: the local names of the UWS elements; what is nil in XML is null (uws.md 4.2). */
export function jobToJson(job: Job, urls: JobUrls, live?: LiveFacts): string {
  return JSON.stringify({
    version: UWS_VERSION,
    jobId: job.id,
    runId: job.runId,
    ownerId: job.owner,
    phase: job.phase,
    quote: instant(job.quote),
    creationTime: formatInstant(job.creationTime),
    startTime: instant(job.startTime),
    endTime: instant(job.endTime),
    executionDuration: job.executionDuration,
    destruction: instant(job.destruction),
    parameters: parameters(job, urls),
    results: results(job, urls),
    errorSummary: job.error === null ? null : { type: job.error.type, hasDetail: true, message: job.error.message },
    jobInfo: factsOf(job, live),
  });
}

/** The parameters alone. */
export function parametersToJson(job: Job, urls: JobUrls): string {
  return JSON.stringify(parameters(job, urls));
}

/** The results alone. */
export function resultsToJson(job: Job, urls: JobUrls): string {
  return JSON.stringify(results(job, urls));
}

/** One entry of the job list. */
export function jobrefToJson(job: JobSummary, urls: JobUrls): string {
  return JSON.stringify({
    jobId: job.id,
    href: urls.job(job.id),
    phase: job.phase,
    runId: job.runId,
    ownerId: job.owner,
    creationTime: formatInstant(job.creationTime),
  });
}

function instant(value: Instant | null): string | null {
  return value === null ? null : formatInstant(value);
}

type JsonValue = string | { readonly href: string; readonly byReference: true } | { readonly secret: true };

/** By name, in the order given; the value of a parameter that may be repeated is a list. Names are known ones, so none is `__proto__`. */
function parameters(job: Job, urls: JobUrls): Readonly<Record<string, JsonValue | readonly JsonValue[]>> {
  const value = (parameter: Parameter): JsonValue => {
    if (isSecret(parameter)) return { secret: true };
    return isByReference(parameter) ? { href: urls.parameter(job.id, parameter.name), byReference: true } : parameter.value;
  };
  const names = [...new Set(job.parameters.map(({ name }) => name))];
  return Object.fromEntries(
    names.map((name) => {
      const values = job.parameters.filter((parameter) => parameter.name === name).map(value);
      return [name, isMultiple(name) ? values : (values[0] ?? '')];
    }),
  );
}

function results(job: Job, urls: JobUrls): readonly object[] {
  return job.results.map((result) => ({
    id: result.id,
    href: urls.result(job.id, result.id),
    mimeType: result.mediaType,
    size: result.size ?? null,
    ...(result.digest === undefined ? {} : { digest: result.digest }),
  }));
}
