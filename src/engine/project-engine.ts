import type { PinnedProject } from '../task/project.ts';
import type { MakeOptions, Engine } from './engine.ts';

/**
 * The half of an Engine that runs projects of containers, each as one job. `start` starts what needs nothing else; `wait` goes on from
 * there, whoever calls it, until the main services are over or can never start, and ends the others. `exited` = nothing of the job runs.
 */
export interface ProjectEngine extends Omit<Engine, 'create' | 'describe' | 'time' | 'hasImage' | 'ensureImage' | 'imageSizes' | 'removeImage'> {
  /**
   * As Engine.create, for networks, volumes and all containers. What a project has lost that ran already is not made anew:
   * `mayStartAgain` says no then. Throws EngineRefused; what was made stays, for the next try or for `remove`.
   */
  create(jobId: string, project: PinnedProject, signal: AbortSignal, options?: MakeOptions): Promise<void>;
}
