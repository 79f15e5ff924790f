import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { callerOf, holderOf } from '../http/request-caller.ts';
import type { Handler } from '../http/handler.ts';
import { TERMINAL_PHASES } from '../job/phase.ts';
import { formatCursor, parseCursor } from './event-cursor.ts';
import { deniedSignal, goneSignal } from './gone-signal.ts';
import { JobEvents } from './job-events.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { Shares } from './shares.ts';

/** Clients that follow jobs at once: each holds two streams of the engine. */
const STREAMS = 200;
/** Of these, for one caller. */
const STREAMS_EACH = 40;

/** Milliseconds between two signs of life, so that proxies keep the connection and a dead one is noticed. */
const ALIVE = 15_000;

/** `GET {job}/events`: server-sent events (HTML standard §9.2), resumable by Last-Event-ID, and ended when its caller may not see the job any more. A job that was told to its end is 204. */
export function getEvents(parts: UwsParts): Handler {
  let streams = 0;
  const shares = new Shares(STREAMS_EACH);
  return async function getEvents(ctx) {
    const id = pathParameter(ctx, 'id');
    const caller = callerOf(ctx);
    const job = await parts.service.get(id, caller);
    const last = ctx.req.headers['last-event-id'];
    const cursor = parseCursor(typeof last === 'string' ? last : undefined);
    // EventSource connects again after every end; 204 is how it is told not to.
    if (TERMINAL_PHASES.has(job.phase) && job.phase === cursor.phase && last === formatCursor({ ...cursor, stdout: sizeOf(job, 'stdout'), stderr: sizeOf(job, 'stderr') })) {
      ctx.status = 204;
      return;
    }
    if (ctx.method !== 'HEAD' && streams >= STREAMS) throw new GatewayError('Unavailable', 'too many clients follow jobs at present');
    const release = ctx.method === 'HEAD' ? undefined : shares.take(holderOf(ctx));
    if (ctx.method !== 'HEAD' && release === undefined) throw new GatewayError('TooManyRequests', `you follow ${String(STREAMS_EACH)} jobs already, which is the most at once`, { headers: { 'Retry-After': '10' } });
    const left = goneSignal(ctx);
    const gone = AbortSignal.any([left, deniedSignal(ctx, parts.clock, (now) => parts.service.get(id, now), left)]);
    const stream = new PassThrough();
    ctx.body = stream;
    ctx.res.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
    ctx.res.setHeader('X-Accel-Buffering', 'no');
    if (ctx.method === 'HEAD') return;
    streams += 1;
    const send = async (text: string): Promise<void> => {
      if (!gone.aborted && !stream.writableEnded && !stream.write(text)) await once(stream, 'drain', { signal: gone }).catch(() => undefined);
    };
    const alive = keepAlive(parts, send, gone);
    void new JobEvents(parts, { id, caller, cursor, send, gone }).run()
      .catch((error: unknown) => parts.logger.debug({ job: id, err: error }, 'the events of a job broke off'))
      .finally(() => {
        streams -= 1;
        release?.();
        alive.abort();
        stream.end();
      });
  };
}

function sizeOf(job: { readonly results: readonly { readonly id: string; readonly size?: number }[] }, id: string): number {
  return job.results.find((result) => result.id === id)?.size ?? 0;
}

function keepAlive({ clock }: UwsParts, send: (text: string) => Promise<void>, gone: AbortSignal): AbortController {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, gone]);
  const beat = async (): Promise<void> => {
    while (!signal.aborted) {
      await send(':\n\n');
      await clock.sleep(ALIVE, signal);
    }
  };
  void beat();
  return done;
}
