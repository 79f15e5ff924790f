import { type Caller, isMember } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import type { Job } from '../job/job.ts';

/** As much of a job as says whose it is. */
type Owned = Pick<Job, 'id' | 'owner'> & Partial<Pick<Job, 'sharedWith'>>;

/**
 * The job, for who may see it: its owner, operators, members of the groups it is shared with, and who has a link that its owner
 * signed. Anonymous jobs belong to everybody who is anonymous. Throws NotFound and Forbidden.
 */
export function seen<T extends Owned>(job: T | undefined, caller: Caller): T {
  const found = existing(job);
  if (isOwn(found, caller) || caller.operator === true || caller.mayRead === found.id) return found;
  if (found.sharedWith?.some((group) => isMember(caller.groups, group)) === true) return found;
  throw notYours();
}

/** The job, for its owner alone. Throws NotFound and Forbidden. */
export function own<T extends Owned>(job: T | undefined, caller: Caller): T {
  const found = existing(job);
  if (isOwn(found, caller)) return found;
  throw notYours();
}

/** The job, for who may end it: its owner and operators. Throws NotFound and Forbidden. */
export function stoppable<T extends Owned>(job: T | undefined, caller: Caller): T {
  return caller.operator === true ? existing(job) : own(job, caller);
}

function isOwn({ owner }: Owned, { id, mayRead }: Caller): boolean {
  // who comes with a link is nobody else: it opens one job, not all anonymous ones
  return mayRead === undefined && owner === id;
}

function existing<T>(job: T | undefined): T {
  if (job === undefined) throw new GatewayError('NotFound', 'no such job');
  return job;
}

function notYours(): GatewayError {
  return new GatewayError('Forbidden', 'the job belongs to somebody else');
}
