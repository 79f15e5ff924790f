import type { Clock, Instant } from '../clock.ts';
import type { JobProgress } from '../execution/job-progress.ts';
import type { JobService } from '../execution/job-service.ts';
import type { JobWatch } from '../execution/job-watch.ts';
import type { JobListName } from '../job/job.ts';
import type { Logger } from '../logger.ts';
import { EndpointConnections } from './endpoint-connections.ts';
import { JobDocuments } from './job-documents.ts';
import { JobUrls } from './urls.ts';
import { type WaitLimits, Waiting } from './wait.ts';

/** Signs what a link to one result says, and knows its own signatures. */
export interface ResultLinks {
  sign(jobId: string, resultId: string, expires: Instant): string;
  isSigned(jobId: string, resultId: string, expires: Instant, signature: string): boolean;
}

/** What the UWS face of one job list is made from. */
export interface UwsOptions {
  readonly list: JobListName;
  /** The gateway's public URL: the only source of every Location and href. */
  readonly baseUrl: string;
  readonly service: JobService;
  readonly watch: JobWatch;
  /** Absent = nothing is told of how far jobs are. */
  readonly progress?: JobProgress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly wait: WaitLimits;
  /** Bytes of a request body at most. */
  readonly bodyLimit: number;
  /** Absent = nobody can make links to results. */
  readonly links?: ResultLinks;
}

/** What the operations of one job list work with. */
export interface UwsParts extends UwsOptions {
  readonly urls: JobUrls;
  /** To be closed at shutdown, before the server is. */
  readonly waiting: Waiting;
  readonly documents: JobDocuments;
  /** To be closed at shutdown, before the server is. */
  readonly connections: EndpointConnections;
}

/** Connections to what jobs serve, of all jobs together. */
const CONNECTIONS = 512;
/** Of these, for one caller: some browsers with a busy page each. */
const CONNECTIONS_EACH = 64;

/** Completes the options with what belongs to one list alone. */
export function uwsParts(options: UwsOptions): UwsParts {
  const urls = new JobUrls(options.baseUrl, options.list);
  const { service, watch, clock, wait } = options;
  return { ...options, urls, waiting: new Waiting({ service, watch, clock, limits: wait }), documents: new JobDocuments({ ...options, urls }), connections: new EndpointConnections(CONNECTIONS, CONNECTIONS_EACH) };
}
