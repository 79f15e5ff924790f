import type { PinnedTask } from '../task/task.ts';
import type { Engine } from './engine.ts';

/** The half of an Engine that runs single containers. */
export interface ContainerEngine extends Omit<Engine, 'create'> {
  create(jobId: string, task: PinnedTask, signal: AbortSignal): Promise<void>;
}
