import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import type { JobProgress, LiveFacts } from '../execution/job-progress.ts';
import type { JobService } from '../execution/job-service.ts';
import type { JobWatch } from '../execution/job-watch.ts';
import type { Job } from '../job/job.ts';
import type { Phase } from '../job/phase.ts';
import { jobToHtml } from './job-html.ts';
import { jobToJson } from './job-json.ts';
import { jobToXml } from './job-xml.ts';
import type { Representation } from './representation.ts';
import type { JobUrls } from './urls.ts';

interface Rendered {
  readonly revision: number;
  readonly phase: Phase;
  readonly startTime: Job['startTime'];
  readonly live: LiveFacts;
  readonly body: Buffer;
  readonly owner: string | null;
  /** When the store last said that this is the present revision: by the monotonic clock, and by this process's changes. */
  confirmed: number;
  changes: number | undefined;
}

/** Bytes of rendered documents that are kept: some ten thousand jobs. */
const CACHE_BYTES = 32 * 1024 * 1024;

/**
 * For so long (milliseconds) a document is believed without asking the store again, as long as this process has changed no job: a
 * second gateway on the same store, which nobody should have, is seen that much later.
 */
const BELIEVED = 250;

type Renderer = (job: Job, urls: JobUrls, live: LiveFacts) => string;
const RENDERERS: Readonly<Record<Representation, Renderer>> = { xml: jobToXml, json: jobToJson, html: jobToHtml };

const NOTHING: LiveFacts = {};

/**
 * Job documents as bytes, rendered once for each revision of a job and each news of how far it is: polling clients ask for the same
 * one again and again.
 */
export class JobDocuments {
  readonly #service: JobService;
  readonly #urls: JobUrls;
  readonly #progress: JobProgress | undefined;
  readonly #watch: JobWatch;
  readonly #clock: Clock;
  readonly #rendered = new LRUCache<string, Rendered>({ maxSize: CACHE_BYTES, sizeCalculation: ({ body }) => body.length + 300 });

  constructor(parts: { readonly service: JobService; readonly urls: JobUrls; readonly progress?: JobProgress; readonly watch: JobWatch; readonly clock: Clock }) {
    this.#service = parts.service;
    this.#urls = parts.urls;
    this.#progress = parts.progress;
    this.#watch = parts.watch;
    this.#clock = parts.clock;
  }

  /** The document as of now. Throws NotFound and Forbidden as the service does. */
  async read(id: string, caller: Caller, representation: Representation): Promise<Buffer> {
    const known = this.#rendered.get(`${representation} ${id}`);
    if (known !== undefined && this.#isBelieved(known, caller)) return known.body;
    const { changes } = this.#watch;
    const revision = await this.#service.revision(id, caller);
    if (known?.revision === revision && isSame(known.live, await this.#live({ id, phase: known.phase, startTime: known.startTime }))) {
      known.confirmed = this.#clock.monotonic();
      known.changes = changes;
      return known.body;
    }
    return this.render(await this.#service.get(id, caller), representation);
  }

  /** The document of a job that was just read. */
  async render(job: Job, representation: Representation): Promise<Buffer> {
    const live = await this.#live(job);
    const body = Buffer.from(RENDERERS[representation](job, this.#urls, live));
    this.#rendered.set(`${representation} ${job.id}`, { revision: job.revision, phase: job.phase, startTime: job.startTime, live, body, owner: job.owner, confirmed: -Infinity, changes: undefined });
    return body;
  }

  /** Only to the owner: what others may see can end without a change of the job. Jobs under way have news of their own. */
  #isBelieved({ owner, phase, confirmed, changes }: Rendered, caller: Caller): boolean {
    if (owner !== caller.id || caller.mayRead !== undefined || phase === 'QUEUED' || phase === 'EXECUTING') return false;
    return changes !== undefined && changes === this.#watch.changes && this.#clock.monotonic() - confirmed < BELIEVED;
  }

  async #live(job: Pick<Job, 'id' | 'phase' | 'startTime'>): Promise<LiveFacts> {
    return job.phase === 'QUEUED' || job.phase === 'EXECUTING' ? ((await this.#progress?.of(job)) ?? NOTHING) : NOTHING;
  }
}

function isSame(one: LiveFacts, other: LiveFacts): boolean {
  return one.queuePosition === other.queuePosition && one.waiting === other.waiting && one.progress === other.progress && one.usage?.measuredAt === other.usage?.measuredAt;
}
