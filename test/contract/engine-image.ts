import { parseImageConfig } from '../../src/image/image-config.ts';
import type { Image, ImageConfig } from '../../src/image/image.ts';
import type { PinnedTask } from '../../src/task/task.ts';
import type { BuiltImage } from '../support/oci-image.ts';

/** A built image as a judge would have read it from its documents, without a registry between. */
export function judged(built: BuiltImage, domain: string, path: string): Image {
  const settings = built.settings as Partial<Record<string, never>>;
  // documents that no judge would read are judged here too: those have none
  const healthTimes = settings['Healthcheck'] === undefined ? undefined : parseImageConfig(built.config.bytes).config.healthTimes;
  const config: ImageConfig = {
    user: settings['User'] ?? '',
    env: settings['Env'] ?? [],
    entrypoint: settings['Entrypoint'] ?? [],
    command: settings['Cmd'] ?? [],
    workingDirectory: settings['WorkingDir'] ?? '',
    volumes: Object.keys(settings['Volumes'] ?? {}),
    exposedPorts: Object.keys(settings['ExposedPorts'] ?? {}),
    labels: settings['Labels'] ?? {},
    stopSignal: settings['StopSignal'] ?? '',
    healthcheck: (settings['Healthcheck'] as { Test?: string[] } | undefined)?.Test ?? [],
    ...(healthTimes === undefined ? {} : { healthTimes }),
  };
  const { os, architecture, variant } = built.platform;
  return {
    reference: { domain, path, digest: built.manifest.digest },
    manifestDigest: built.manifest.digest,
    configDigest: built.config.digest,
    platform: { os, architecture, variant: variant ?? '' },
    diffIds: built.layers.map((layer) => layer.diffId),
    config,
    size: built.layers.reduce((sum, layer) => sum + layer.bytes.length, 0),
  };
}

/** `sh -c script` in the image, as nobody, with what a small job gets. */
export function shellTask(image: Image, script: string, more: Partial<PinnedTask> = {}): PinnedTask {
  return {
    type: 'container', image, command: ['sh', '-c', script], env: {}, resources: { cores: 1, memory: 64 * 2 ** 20 }, user: '65534:65534', ...more,
  };
}
