import { digestOf } from '../../../src/image/digest.ts';
import type { Image } from '../../../src/image/image.ts';
import type { PinnedTask } from '../../../src/task/task.ts';

/** An image as judged, everything in it. */
export const IMAGE: Image = {
  reference: { domain: 'registry.example', path: 'team/tool', tag: '1' },
  manifestDigest: digestOf('manifest'),
  configDigest: digestOf('config'),
  platform: { os: 'linux', architecture: 'amd64', variant: '' },
  diffIds: [digestOf('layer 0'), digestOf('layer 1')],
  config: {
    user: 'app',
    env: ['PATH=/bin', 'A=image'],
    entrypoint: ['/bin/tool'],
    command: ['--help'],
    workingDirectory: '/data',
    volumes: ['/cache', '/tmp'],
    exposedPorts: ['80/tcp'],
    labels: { maintainer: 'x', 'traefik.enable': 'true' },
    stopSignal: 'SIGINT',
    healthcheck: ['CMD', 'curl'],
  },
  size: 100,
};

export const TASK: PinnedTask = {
  type: 'container',
  image: IMAGE,
  command: ['run', '--fast'],
  env: { A: 'task', B: 'b=c' },
  resources: { cores: 1.5, memory: 2 ** 30 },
  user: '65534:65533',
};
