import type { PinnedProject } from '../task/project.ts';
import type { Engine } from './engine.ts';

/**
 * The half of an Engine that runs projects of containers, each as one job. `start` starts what needs nothing else; `wait` goes on from
 * there, whoever calls it, until the main services are over or can never start, and ends the others. `exited` = nothing of the job runs.
 */
export interface ProjectEngine extends Omit<Engine, 'create' | 'describe' | 'time' | 'hasImage' | 'ensureImage' | 'imageSizes' | 'removeImage'> {
  /** As Engine.create, for networks, volumes and all containers. Throws EngineRefused; then nothing is left. */
  create(jobId: string, project: PinnedProject, signal: AbortSignal): Promise<void>;
}
