import type { Readable } from 'node:stream';
import type { Caller } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { formatInstant } from '../job/instant.ts';
import type { Job } from '../job/job.ts';
import { TERMINAL_PHASES } from '../job/phase.ts';
import { type EventCursor, formatCursor } from './event-cursor.ts';
import { factsOf } from './job-info.ts';
import { linesFrom } from './log-lines.ts';
import type { UwsParts } from './parts.ts';

const LOGS = ['stdout', 'stderr'] as const;
type Log = (typeof LOGS)[number];

/** How far a job is changes without a change of the job: looked at as often as this (milliseconds). */
const LOOK = 3_000;

/** Sends one piece of the stream; resolves when there is room for the next. */
export type Send = (text: string) => Promise<void>;

/**
 * Tells one client of one job until it is over and everything was told: `phase` at each change of phase, `info` at each change of
 * what jobInfo says, `stdout` and `stderr` line by line, `end`. Every event carries a cursor from which another connection can go
 * on; phases that came and went between two connections are not told.
 */
export class JobEvents {
  readonly #parts: UwsParts;
  readonly #id: string;
  readonly #caller: Caller;
  readonly #cursor: EventCursor;
  readonly #send: Send;
  readonly #gone: AbortSignal;
  readonly #followed = new Map<Log, Promise<void>>();
  #facts = '{}';

  constructor(parts: UwsParts, given: { readonly id: string; readonly caller: Caller; readonly cursor: EventCursor; readonly send: Send; readonly gone: AbortSignal }) {
    this.#parts = parts;
    this.#id = given.id;
    this.#caller = given.caller;
    this.#cursor = given.cursor;
    this.#send = given.send;
    this.#gone = given.gone;
  }

  /** Resolves when all is told, the client has gone, or the gateway stops. Throws NotFound when the job is deleted meanwhile. */
  async run(): Promise<void> {
    const { waiting } = this.#parts;
    for await (const job of waiting.changes(this.#id, this.#caller, this.#gone, LOOK)) {
      await this.#tell(job);
      for (const log of LOGS) if (isGrowing(job, log)) this.#followed.set(log, this.#followed.get(log) ?? this.#follow(log));
      if (!TERMINAL_PHASES.has(job.phase)) continue;
      await Promise.all(this.#followed.values());
      for (const log of LOGS) await this.#rest(job, log);
      await this.#event('end', {});
      return;
    }
  }

  async #tell(job: Job): Promise<void> {
    if (job.phase !== this.#cursor.phase) {
      this.#cursor.phase = job.phase;
      const time = job.endTime ?? job.startTime;
      await this.#event('phase', { phase: job.phase, time: time === null ? null : formatInstant(time) });
    }
    const facts = factsOf(job, await this.#parts.progress?.of(job));
    const text = JSON.stringify(facts);
    if (text === this.#facts) return;
    this.#facts = text;
    await this.#event('info', facts);
  }

  /** What the container writes, as it writes it. An engine that breaks off is no end: the rest comes from the stored result. */
  async #follow(log: Log): Promise<void> {
    try {
      await this.#lines(log, await this.#parts.service.followLog(this.#id, log, this.#caller, this.#gone));
    } catch (error) {
      if (!this.#gone.aborted) this.#parts.logger.debug({ job: this.#id, err: error }, 'a log can no longer be followed');
    }
  }

  /** What was kept of a job that is over, from where the client stands. */
  async #rest(job: Job, log: Log): Promise<void> {
    if (this.#gone.aborted || !job.results.some(({ id, size }) => id === log && (size ?? 0) > this.#cursor[log])) return;
    try {
      await this.#lines(log, (await this.#parts.service.openResult(this.#id, log, this.#caller)).content);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  async #lines(log: Log, content: Readable): Promise<void> {
    for await (const { text, end } of linesFrom(content, this.#cursor[log])) {
      this.#cursor[log] = end;
      await this.#event(log, { line: text });
    }
  }

  #event(name: string, data: object): Promise<void> {
    return this.#send(`id: ${formatCursor(this.#cursor)}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

/** Whether the container may still write this log: it has begun, and its end is not stored. */
function isGrowing(job: Job, log: Log): boolean {
  return job.results.some(({ id, size }) => id === log && size === undefined);
}
