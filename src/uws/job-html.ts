import type { LiveFacts } from '../execution/job-progress.ts';
import { formatInstant } from '../job/instant.ts';
import type { Job, JobSummary } from '../job/job.ts';
import { html, htmlHead, htmlTail } from './html.ts';
import { factsOf } from './job-info.ts';
import { isByReference, isSecret } from './job-parameters.ts';
import type { JobUrls } from './urls.ts';

/** The job list as a page, in the pieces in which it is streamed. */
export const JOBS_HEAD = `${htmlHead('Jobs')}<table><tr><th>Job<th>Phase<th>Created<th>Run id</tr>`;
export const JOBS_TAIL = `</table>${htmlTail()}`;

/** One row of the job list. */
export function jobrefToHtml(job: JobSummary, urls: JobUrls): string {
  return `<tr><td>${link(urls.job(job.id), job.id)}<td>${job.phase}<td>${formatInstant(job.creationTime)}<td>${html(job.runId ?? '')}</tr>\n`;
}

/** A job as a page for people: what is in its document, with links. */
export function jobToHtml(job: Job, urls: JobUrls, live?: LiveFacts): string {
  const time = (instant: number | null): string => (instant === null ? '–' : formatInstant(instant));
  const facts: readonly (readonly [string, string])[] = [
    ['Phase', job.phase], ['Run id', job.runId ?? '–'], ['Owner', job.owner ?? '–'], ['Created', time(job.creationTime)], ['Started', time(job.startTime)], ['Ended', time(job.endTime)],
    ['Expected end', time(job.quote)], ['Time limit', job.executionDuration === 0 ? 'none' : `${String(job.executionDuration)} s`], ['Kept until', time(job.destruction)],
  ];
  const error = job.error === null ? '' : `<h2>Error</h2><p>${html(job.error.message)} (${link(urls.child(job.id, 'error'), 'detail')})</p>`;
  return [
    htmlHead(`Job ${job.id}`),
    `<p>${link(urls.list, 'All jobs')} · ${link(`${urls.job(job.id)}?RESPONSEFORMAT=xml`, 'XML')} · ${link(`${urls.job(job.id)}?RESPONSEFORMAT=json`, 'JSON')} · ${link(urls.child(job.id, 'events'), 'events')}</p>`,
    table(facts.map(([name, value]) => [html(name), html(value)])),
    error,
    '<h2>Results</h2>',
    table(job.results.map(({ id, mediaType, size }) => [link(urls.result(job.id, id), id), html(mediaType), size === undefined ? 'growing' : `${String(size)} bytes`])),
    '<h2>Parameters</h2>',
    table(job.parameters.map((parameter) => [html(parameter.name), isSecret(parameter) ? '(secret)' : isByReference(parameter) ? link(urls.parameter(job.id, parameter.name), 'upload') : html(parameter.value)])),
    '<h2>About</h2>',
    table(Object.entries(factsOf(job, live)).map(([name, value]) => [html(name), html(typeof value === 'object' ? value.join('; ') : String(value))])),
    htmlTail(),
  ].join('\n');
}

function table(rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '<p>none</p>';
  return `<table>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}`).join('')}</tr>`).join('\n')}</table>`;
}

function link(url: string, text: string): string {
  return `<a href="${html(url)}">${html(text)}</a>`;
}
