import type { Caller } from '../caller.ts';
import type { PinnedTask } from '../task/task.ts';
import type { Maybe, No } from './offer.ts';
import { formatAmount, type Range, type Ranges } from './resources.ts';

/**
 * Within how many seconds this task would start if this caller submitted it now, as far as that can be told: between `min` and `max`.
 * Undefined = it cannot be told.
 */
export type StartupEstimate = (task: PinnedTask, caller: Caller) => Promise<{ readonly min: number; readonly max: number } | undefined>;

/**
 * Whether the task would start in time (note §5, maxstartup): a no where it would not, or where nobody can say so; else what
 * the answer tells of it.
 */
export async function startupAnswer(
  estimate: StartupEstimate | undefined,
  task: PinnedTask,
  caller: Caller,
  asked: Range | undefined,
): Promise<{ readonly answer?: No; readonly startup?: Ranges }> {
  const startup = await estimate?.(task, caller);
  if (asked?.max === undefined) return startup === undefined ? {} : { startup: { startup } };
  const said = (seconds: number): string => String(formatAmount('startup', seconds, true));
  const no = (text: string, resources?: Ranges, maybe?: Maybe): { readonly answer: No } => ({
    answer: {
      word: 'NO',
      reasons: [{ httpcode: 503, code: 'resources.startup', path: 'resources.maxstartup', text }],
      warnings: [],
      ...(resources === undefined ? {} : { resources }),
      ...(maybe === undefined ? {} : { maybe }),
    },
  });
  if (startup === undefined) return no('this site cannot tell when a job would start; ask without maxstartup');
  if (startup.max <= asked.max) return { startup: { startup } };
  const how = `it could start in about ${said(startup.max)}; ask again later, or for a maxstartup of ${said(startup.max)}`;
  return no(`the task must start within ${said(asked.max)}, and ${how}`, { startup }, { kind: 'time', how, seconds: startup.max });
}
