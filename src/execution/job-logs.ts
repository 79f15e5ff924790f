import type { LogOptions } from '../engine/engine.ts';
import type { PinnedWork } from '../task/project.ts';

/** One log of a job, as a result. */
export interface JobLog extends Pick<LogOptions, 'part'> {
  /** `stdout`, or `stdout.web` of one service. */
  readonly id: string;
  readonly stream: 'stdout' | 'stderr';
}

const WHOLE: readonly JobLog[] = [{ id: 'stdout', stream: 'stdout' }, { id: 'stderr', stream: 'stderr' }];

/** The logs that a job has: both streams, and, where several services write into them, both of each service. */
export function logsOf(task: PinnedWork | null): readonly JobLog[] {
  if (task?.type !== 'project' || task.services.length === 1) return WHOLE;
  return [...WHOLE, ...task.services.flatMap(({ name }) => WHOLE.map(({ id, stream }) => ({ id: `${id}.${name}`, stream, part: name })))];
}
