import { formatReference } from '../image/reference.ts';
import type { GivenParameter } from './parameter.ts';
import type { PinnedTask } from './task.ts';
import { formatSize } from './units.ts';

/** The parameters with which a job list makes exactly this task: the image by the digest that was judged, what is granted spelled out. */
export function formatPinnedParameters(task: PinnedTask): readonly GivenParameter[] {
  const { image, command, env, resources, ports = [], relaxed } = task;
  return [
    { name: 'IMAGE', value: formatReference({ ...image.reference, digest: image.manifestDigest }) },
    ...command.map((word) => ({ name: 'ARG', value: word })),
    ...Object.entries(env).map(([name, value]) => ({ name: `ENV.${name}`, value })),
    { name: 'CORES', value: String(resources.cores) },
    { name: 'MEMORY', value: formatSize(resources.memory) },
    ...(relaxed?.gpus === undefined ? [] : [{ name: 'GPUS', value: String(relaxed.gpus) }]),
    ...ports.map((port) => ({ name: 'PORT', value: String(port) })),
  ];
}
