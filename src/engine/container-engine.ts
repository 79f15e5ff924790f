import type { PinnedTask } from '../task/task.ts';
import type { CreateOptions, Engine } from './engine.ts';

/** The half of an Engine that runs single containers. */
export interface ContainerEngine extends Omit<Engine, 'create'> {
  create(jobId: string, task: PinnedTask, signal: AbortSignal, options?: CreateOptions): Promise<void>;
}
