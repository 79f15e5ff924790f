/** The ten phases of UWS 1.1 §2.1.3. */
export const PHASES = [
  'PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED', 'HELD', 'SUSPENDED', 'UNKNOWN', 'ARCHIVED',
] as const;

export type Phase = (typeof PHASES)[number];

/** Phases in which a WAIT may hold its answer (§2.2.1.2: exactly these three). */
export const ACTIVE_PHASES: ReadonlySet<Phase> = new Set(['PENDING', 'QUEUED', 'EXECUTING'] as const);

/** Phases that a job leaves only for ARCHIVED. */
export const TERMINAL_PHASES: ReadonlySet<Phase> = new Set(['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED'] as const);

/**
 * Who may follow whom: the state diagram of §2.1.3, and ABORTED and ERROR also from HELD, SUSPENDED and UNKNOWN, without
 * which such a job could not be stopped. At its destruction time a job that is not over is aborted first, then archived.
 */
export const SUCCESSORS: Readonly<Record<Phase, readonly Phase[]>> = {
  PENDING: ['QUEUED', 'HELD', 'ABORTED', 'ERROR'],
  QUEUED: ['EXECUTING', 'ABORTED', 'ERROR'],
  EXECUTING: ['COMPLETED', 'ERROR', 'ABORTED', 'SUSPENDED', 'HELD', 'UNKNOWN'],
  HELD: ['QUEUED', 'EXECUTING', 'ABORTED', 'ERROR'],
  SUSPENDED: ['EXECUTING', 'ABORTED', 'ERROR'],
  UNKNOWN: ['EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED'],
  COMPLETED: ['ARCHIVED'],
  ERROR: ['ARCHIVED'],
  ABORTED: ['ARCHIVED'],
  ARCHIVED: [],
};

/** Whether a job in `from` may move to `to`. */
export function mayFollow(from: Phase, to: Phase): boolean {
  return SUCCESSORS[from].includes(to);
}

/** Whether `text` is a phase, letter case included (values are case-sensitive, DALI §3.1). */
export function isPhase(text: string): text is Phase {
  return (PHASES as readonly string[]).includes(text);
}
