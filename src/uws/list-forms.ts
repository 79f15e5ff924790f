import type { JobSummary } from '../job/job.ts';
import { JOBS_HEAD, JOBS_TAIL, jobrefToHtml } from './job-html.ts';
import { jobrefToJson } from './job-json.ts';
import { jobrefToXml } from './job-xml.ts';
import type { Representation } from './representation.ts';
import type { JobUrls } from './urls.ts';
import { UWS_NAMESPACES, UWS_VERSION } from './xml.ts';

/** The job list in one form, in pieces, because it is streamed. */
export interface ListForm {
  readonly type: Representation;
  readonly head: string;
  readonly between: string;
  readonly tail: string;
  readonly entry: (job: JobSummary, urls: JobUrls) => string;
}

const ROOT_ATTRIBUTES = Object.entries(UWS_NAMESPACES).map(([name, value]) => `${name}="${value}"`).join(' ');

/** Nothing but jobrefs stands inside `<jobs>`: STILTS and uws-client stumble over comments there. */
export const LIST_FORMS: Readonly<Record<Representation, ListForm>> = {
  xml: {
    type: 'xml',
    head: `<?xml version="1.0" encoding="UTF-8"?><uws:jobs ${ROOT_ATTRIBUTES} version="${UWS_VERSION}">`,
    between: '',
    tail: '</uws:jobs>',
    entry: jobrefToXml,
  },
  json: { type: 'json', head: `{"version":"${UWS_VERSION}","jobs":[`, between: ',', tail: ']}', entry: jobrefToJson },
  html: { type: 'html', head: JOBS_HEAD, between: '', tail: JOBS_TAIL, entry: jobrefToHtml },
};
