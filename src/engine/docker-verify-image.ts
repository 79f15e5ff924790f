import type { Image } from '../image/image.ts';
import type { InspectedImage } from './docker-inspect.ts';

/**
 * What the engine sees of an image that is not what was judged; empty = the same. The digest by which the image was pulled
 * proves nothing by itself: the engine reads JSON in another way than everybody else (keys in any letter case, objects
 * merged), so its view is compared member by member.
 */
export function imageDifferences(judged: Image, seen: InspectedImage): string[] {
  const config = seen.Config;
  const pairs: readonly (readonly [name: string, judged: unknown, seen: unknown])[] = [
    ['layers', judged.diffIds, seen.RootFS.Type === 'layers' ? seen.RootFS.Layers : []],
    ['os', judged.platform.os, seen.Os],
    ['architecture', judged.platform.architecture, seen.Architecture],
    ['variant', variantOf(judged.platform.architecture, judged.platform.variant), variantOf(seen.Architecture, seen.Variant)],
    ['config.User', judged.config.user, config?.User ?? ''],
    ['config.Env', judged.config.env, config?.Env ?? []],
    ['config.Entrypoint', judged.config.entrypoint, config?.Entrypoint ?? []],
    ['config.Cmd', judged.config.command, config?.Cmd ?? []],
    ['config.WorkingDir', judged.config.workingDirectory, config?.WorkingDir ?? ''],
    ['config.Volumes', sorted(judged.config.volumes), sorted(config?.Volumes ?? [])],
    ['config.ExposedPorts', sorted(judged.config.exposedPorts), sorted(config?.ExposedPorts ?? [])],
    ['config.Labels', entries(judged.config.labels), entries(config?.Labels ?? {})],
    ['config.StopSignal', judged.config.stopSignal, config?.StopSignal ?? ''],
    ['config.Healthcheck', judged.config.healthcheck, config?.Healthcheck?.Test ?? []],
  ];
  const different = pairs.filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b)).map(([name]) => name);
  return isIdOf(judged, seen.Id) ? different : ['id', ...different];
}

/**
 * The engine names an image after its configuration (graph drivers) or after the manifest that was pulled (containerd's
 * store, the default of new installations since Engine 29). Both pin the content that was judged.
 */
function isIdOf(judged: Image, id: string): boolean {
  return id === judged.configDigest || id === judged.manifestDigest;
}

/** containerd's platforms package: these variants are what the architecture means without one. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7', amd64: 'v1' };

function variantOf(architecture: string, variant: string): string {
  return DEFAULT_VARIANT[architecture] === variant ? '' : variant;
}

function sorted(values: readonly string[]): string[] {
  return [...values].sort();
}

function entries(map: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
}
