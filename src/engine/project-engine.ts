import type { PinnedProject } from '../task/project.ts';
import type { Engine } from './engine.ts';

/**
 * Runs judged projects of containers, each as one job, with the promises of Engine: names and labels follow from the job's id, every
 * step can be repeated, and everything is found again by label. `start` starts what needs nothing else; `wait` goes on from there,
 * whoever calls it, until the main services are over or can never start, and ends the others. `exited` = nothing of the job runs.
 */
export interface ProjectEngine extends Pick<Engine, 'start' | 'wait' | 'inspect' | 'stop' | 'progress' | 'outputs' | 'remove' | 'list' | 'close'> {
  /** As Engine.create, for networks, volumes and all containers. Throws EngineRefused; then nothing is left. */
  create(jobId: string, project: PinnedProject, signal: AbortSignal): Promise<void>;
  /** As Engine.logs; `part` = of one service only. Lines of several containers have the container's name before them. */
  logs(jobId: string, stream: 'stdout' | 'stderr', options: Parameters<Engine['logs']>[2] & { readonly part?: string }): ReturnType<Engine['logs']>;
  /** The services of the job, each once, in their order. None there = none. */
  parts(jobId: string): Promise<readonly string[]>;
}
