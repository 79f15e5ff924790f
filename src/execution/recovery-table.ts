import type { EngineRun } from '../engine/engine.ts';
import type { Phase } from '../job/phase.ts';

/** What the engine has of a job. */
export type EngineState = 'none' | EngineRun['state'];

/** What the store has of it: its phase, hidden for good, or nothing at all. */
export type StoreState = Phase | 'DELETED' | 'nothing';

/**
 * - `leave`: all is as it should be;
 * - `queue`: it waits for its turn like any other; whatever was made for it already will be found and used;
 * - `adopt`: take the container over where it stands: wait for its end, or collect what it left;
 * - `lost`: the container is gone and nobody can know how it ended: ERROR, transient;
 * - `finish`: stop it, keep what it has written, remove it;
 * - `remove`: nobody needs the container any more.
 */
export type RecoveryAction = 'leave' | 'queue' | 'adopt' | 'lost' | 'finish' | 'remove';

type Row = Readonly<Record<EngineState, RecoveryAction>>;

const OVER: Row = { none: 'leave', created: 'remove', running: 'remove', exited: 'remove' };
const NEVER_STARTED: Row = OVER;
/** Phases that this program puts no job into: whoever did knows what the container is for. */
const NOT_OURS: Row = { none: 'leave', created: 'leave', running: 'leave', exited: 'leave' };

/**
 * Store x engine -> action, for jobs on which nobody works. EXECUTING is written after the container was started, so a
 * container that is only `created` then has been lost and replaced behind our back: its end is not known either.
 */
export const RECOVERY: Readonly<Record<StoreState, Row>> = {
  PENDING: NEVER_STARTED,
  HELD: NEVER_STARTED,
  QUEUED: { none: 'queue', created: 'queue', running: 'adopt', exited: 'adopt' },
  EXECUTING: { none: 'lost', created: 'lost', running: 'adopt', exited: 'adopt' },
  SUSPENDED: NOT_OURS,
  UNKNOWN: NOT_OURS,
  COMPLETED: OVER,
  ERROR: OVER,
  // `created` may be what an engine that was killed says of a project of which something ran
  ABORTED: { none: 'leave', created: 'finish', running: 'finish', exited: 'finish' },
  ARCHIVED: OVER,
  DELETED: OVER,
  nothing: OVER,
};
