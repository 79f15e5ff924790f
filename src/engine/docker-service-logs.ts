import { Readable } from 'node:stream';
import type { Clock, Instant } from '../clock.ts';
import type { DockerCalls } from './docker-call.ts';
import { followedLogs, type LogEntry, logEntries, type LogSource, mergedLogs, secondsOf } from './docker-project-logs.ts';
import type { ProjectNames } from './docker-project-names.ts';
import { type ProjectRuns, translatedCalls } from './docker-project-runs.ts';
import { canRestart, jobRun, projectState, type ServiceRun } from './docker-project-state.ts';
import type { LogOptions } from './engine.ts';

/** Between two looks at a container that has yet to start (milliseconds). */
const LOOK = 300;

/** Reads what the containers of a project write, over their restarts. */
export class ServiceLogs {
  readonly #calls: DockerCalls;
  readonly #runs: ProjectRuns;
  readonly #clock: Clock;

  constructor(calls: DockerCalls, runs: ProjectRuns, clock: Clock) {
    this.#calls = calls;
    this.#runs = runs;
    this.#clock = clock;
  }

  /** One stream of all containers of a job, or of one service's; as Engine.logs. */
  read(jobId: string, names: ProjectNames, runs: readonly ServiceRun[], stream: 'stdout' | 'stderr', { follow, signal, part }: LogOptions): Readable {
    const wanted = part === undefined ? runs : runs.filter(({ plan }) => plan.service === part);
    const followed = { jobId, names, stream, follow, signal };
    const sources = wanted.map((run): LogSource => ({ name: nameOf(run, runs), entries: this.#entries(run, followed) }));
    const [only] = sources;
    // One container's own words, as they are: whoever wraps a container as a project gets the same.
    if (only !== undefined && sources.length === 1) return Readable.from(bytesOf(only.entries), { objectMode: false });
    return follow ? followedLogs(sources) : Readable.from(mergedLogs(sources), { objectMode: false });
  }

  /** A container's log; with `follow` also of one that has yet to start, until it or the job is over. */
  async *#entries(first: ServiceRun, how: Followed): AsyncGenerator<LogEntry> {
    const { follow, signal } = how;
    let last: LogEntry | undefined;
    for (let now: ServiceRun | undefined = first, seen = -1; now !== undefined; ) {
      if (!follow || (now.run.state !== 'created' && (startOf(now) > seen || now.run.state === 'running'))) {
        seen = startOf(now);
        for await (const entry of this.#written(now.container, last?.time, how)) yield (last = entry);
        if (!follow || !canRestart(now)) return;
      } else {
        await this.#clock.sleep(LOOK, signal);
        signal?.throwIfAborted();
      }
      now = await this.#yetToWrite(first.container, seen, how);
    }
  }

  /** A container as it is now; undefined when it will never write again, nor has since its start at the instant `seen`. */
  async #yetToWrite(container: string, seen: number, { jobId, names, signal }: Followed): Promise<ServiceRun | undefined> {
    const runs = await this.#runs.of(jobId, names, signal);
    const now = runs.find((each) => each.container === container);
    if (now === undefined || now.run.state === 'running') return now;
    if (now.run.state === 'exited' && startOf(now) > seen) return now;
    return jobRun(jobId, runs).state === 'exited' || (now.run.state === 'exited' && !projectState(runs).again.includes(now)) ? undefined : now;
  }

  /** What one stream of a container has, after `since`. */
  async *#written(container: string, since: string | undefined, { stream, follow, signal }: Followed): AsyncGenerator<LogEntry> {
    const query = { [stream]: true, follow, timestamps: true, ...(since === undefined ? {} : { since: secondsOf(since) }) };
    const response = await translatedCalls('show the log', () => this.#calls.open('GET', `/containers/${container}/logs`, { query, signal }));
    try {
      for await (const entry of logEntries(response, stream)) if (since === undefined || entry.time > since) yield entry;
    } finally {
      response.destroy();
    }
  }
}

/** Which stream of which job's, and for how long. */
interface Followed {
  readonly jobId: string;
  readonly names: ProjectNames;
  readonly stream: 'stdout' | 'stderr';
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
}

/** `web`, or `web-2` of several. */
function nameOf({ plan }: ServiceRun, all: readonly ServiceRun[]): string {
  return all.filter((other) => other.plan.service === plan.service).length > 1 ? `${plan.service}-${String(plan.replica)}` : plan.service;
}

/** When it was started last; 0 = it could not be. */
function startOf({ run }: ServiceRun): Instant {
  return run.startedAt ?? 0;
}

async function* bytesOf(entries: AsyncIterable<LogEntry>): AsyncGenerator<Buffer> {
  for await (const { bytes } of entries) yield bytes;
}
