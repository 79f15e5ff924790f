import { Readable } from 'node:stream';
import { callerOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { queryOf } from '../http/parameters.ts';
import type { JobSummary } from '../job/job.ts';
import { answer } from './answer.ts';
import { LIST_FORMS, type ListForm } from './list-forms.ts';
import { parseListFilter } from './list-filter.ts';
import type { UwsParts } from './parts.ts';
import { representationOf } from './representation.ts';
import type { JobUrls } from './urls.ts';

/** Jobs that are rendered between two looks at whether the client still reads. */
const CHUNK = 100;

/**
 * `GET {jobs}` (UWS 1.1 §2.2.1.1): all jobs that match, newest first, however many; streamed, so that a long list needs no more
 * memory than a short one.
 */
export function listJobs({ service, urls }: UwsParts): Handler {
  return async function listJobs(ctx) {
    const form = LIST_FORMS[representationOf(ctx)];
    const { everybody, ...filter } = parseListFilter(queryOf(ctx));
    const jobs = service.list(filter, callerOf(ctx), everybody);
    if (ctx.method === 'HEAD') {
      answer(ctx, form.type, '');
      // nobody has rendered the list: no size is better than a wrong one (RFC 9110 §8.6)
      return ctx.res.removeHeader('Content-Length');
    }
    const chunks = render(jobs, form, urls);
    // The first chunk is awaited here, so that a store that fails is a 503 and not a broken answer.
    const first = await chunks.next();
    const second = await chunks.next();
    if (second.done === true) return answer(ctx, form.type, String(first.value));
    answer(ctx, form.type, '');
    ctx.body = Readable.from(join([String(first.value), second.value], chunks), { objectMode: false, highWaterMark: 1 });
  };
}

async function* render(jobs: AsyncIterable<JobSummary>, form: ListForm, urls: JobUrls): AsyncGenerator<string, undefined> {
  let text = form.head;
  let count = 0;
  for await (const job of jobs) {
    text += (count === 0 ? '' : form.between) + form.entry(job, urls);
    count += 1;
    if (count % CHUNK !== 0) continue;
    yield text;
    text = '';
  }
  yield text + form.tail;
}

async function* join(first: readonly string[], rest: AsyncGenerator<string, undefined>): AsyncGenerator<string> {
  yield* first;
  yield* rest;
}
