import { GatewayError } from '../errors.ts';
import { type Phase, isPhase } from '../job/phase.ts';

/** How far a client has read a job's events: the last phase it was told, and the bytes of each log. */
export interface EventCursor {
  phase: Phase | undefined;
  stdout: number;
  stderr: number;
}

/** The cursor as an event's id, which clients send back as Last-Event-ID. */
export function formatCursor({ phase, stdout, stderr }: EventCursor): string {
  return `${phase ?? ''}.${String(stdout)}.${String(stderr)}`;
}

/** Reads a Last-Event-ID; none = from the beginning. Throws BadRequest for one that was never given out. */
export function parseCursor(text: string | undefined): EventCursor {
  if (text === undefined || text === '') return { phase: undefined, stdout: 0, stderr: 0 };
  const match = /^([A-Z]*)\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  const phase = match?.[1] === '' ? undefined : match?.[1];
  if (match === null || (phase !== undefined && !isPhase(phase))) throw new GatewayError('BadRequest', 'Last-Event-ID is none of this job', { path: 'Last-Event-ID' });
  return { phase, stdout: Number(match[2]), stderr: Number(match[3]) };
}
