import { randomUUID } from 'node:crypto';
import type { Job } from '../../src/job/job.ts';
import type { PinnedTask } from '../../src/task/task.ts';

const DIGEST = `sha256:${'1'.repeat(64)}` as const;

/** A judged task, valid in every part, of an image that does not exist. */
export const PINNED_TASK: PinnedTask = {
  type: 'container',
  image: {
    reference: { domain: 'registry.test', path: 'tools/one', tag: '1' },
    manifestDigest: DIGEST,
    configDigest: `sha256:${'2'.repeat(64)}`,
    platform: { os: 'linux', architecture: 'amd64', variant: '' },
    diffIds: [`sha256:${'3'.repeat(64)}`],
    config: { user: '', env: [], entrypoint: [], command: ['true'], workingDirectory: '', volumes: [], exposedPorts: [], labels: {}, stopSignal: '', healthcheck: [] },
    size: 1000,
  },
  command: [],
  env: {},
  resources: { cores: 1, memory: 2 ** 28 },
  user: '65534:65534',
};

/** The image of a job of one container. */
export function imageOf({ task }: Pick<Job, 'task'>): PinnedTask['image'] {
  if (task?.type !== 'container') throw new Error('no container');
  return task.image;
}

/** A job of one container, PENDING unless told otherwise. */
export function jobWith(fields: Partial<Job>): Job {
  return {
    id: randomUUID(),
    list: 'docker',
    revision: 1,
    owner: null,
    groups: [],
    runId: null,
    phase: 'PENDING',
    quote: null,
    creationTime: Date.UTC(2026, 0, 1),
    startTime: null,
    endTime: null,
    executionDuration: 3600,
    destruction: Date.UTC(2026, 1, 1),
    parameters: [],
    task: PINNED_TASK,
    decision: null,
    results: [],
    error: null,
    info: {},
    ...fields,
  };
}
