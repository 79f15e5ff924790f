import { isDeepStrictEqual } from 'node:util';
import type { ContainerOptions } from './docker-container-options.ts';
import { cleaned } from './docker-errors.ts';
import type { InspectedContainer } from './docker-inspect.ts';

type Value = unknown;

/** Members of the effective HostConfig that nobody sent and that may yet hold something. */
const HOST_MAY_HOLD: Readonly<Record<string, (value: Value) => boolean>> = {
  // The engine's default runtime: the operator's choice.
  Runtime: (value) => typeof value === 'string',
  // -1: not set, in the words of older engines.
  MemorySwappiness: (value) => value === -1,
  MaskedPaths: Array.isArray,
  ReadonlyPaths: Array.isArray,
};

/** What is compared of a container that was asked for. */
export type Comparable = Omit<ContainerOptions, 'Healthcheck'> & { readonly Healthcheck: { readonly Test: readonly string[] } };

/** Members of the effective Config that come from the image and change nothing without a network or a build. */
const CONFIG_MAY_HOLD = new Set(['ExposedPorts', 'Volumes', 'OnBuild', 'Shell']);

/**
 * What differs between the container that was asked for and the one that the engine made, as paths of members; empty =
 * nothing. Whatever was not asked for must be absent: a new member that an engine fills by itself is a difference.
 * `noSwap`: the host has no swap, so an engine that cannot limit it need not.
 */
export function containerDifferences(asked: ContainerOptions, made: InspectedContainer, noSwap: boolean): string[] {
  const checks: readonly (readonly [path: string, holds: boolean])[] = [
    ['Mounts', onlyOurs(asked, made.Mounts)],
    ['NetworkSettings.Networks', (made.NetworkSettings?.Networks ?? []).every((network) => network === asked.HostConfig['NetworkMode'])],
  ];
  return [...optionDifferences(asked, made, noSwap), ...checks.filter(([, holds]) => !holds).map(([path]) => path)];
}

/** The same but for what is mounted and which networks it is in. */
export function optionDifferences(asked: Comparable, made: InspectedContainer, noSwap: boolean): string[] {
  const { HostConfig: host, ...config } = asked;
  const differences = [
    ...compare('HostConfig', host, made.HostConfig, (name, value) => HOST_MAY_HOLD[name]?.(value) ?? false),
    ...compare('Config', config, made.Config, (name) => CONFIG_MAY_HOLD.has(name)),
  ];
  const found = noSwap ? differences.filter((path) => path !== 'HostConfig.MemorySwap') : differences;
  const checks: readonly (readonly [path: string, holds: boolean])[] = [
    ['Image', made.Image === asked.Image],
    ['Path', isDeepStrictEqual([made.Path, ...made.Args], [...asked.Entrypoint, ...asked.Cmd])],
    ['AppArmorProfile', made.AppArmorProfile !== 'unconfined'],
    ['HostConfig.MaskedPaths', has(made.HostConfig['MaskedPaths'], '/proc/kcore')],
    ['HostConfig.ReadonlyPaths', has(made.HostConfig['ReadonlyPaths'], '/proc/sys')],
  ];
  return [...found, ...checks.filter(([, holds]) => !holds).map(([path]) => path)];
}

/** Nothing in a sandbox without a network depends on these. */
const HARMLESS_WARNING = /IPv[46] forwarding is disabled/i;
const SWAP_WARNING = /swap limit|memory limited without swap/i;

/** The engine's warnings that make a container unusable: all of them, but for those known to be harmless. */
export function seriousWarnings(warnings: readonly string[], noSwap: boolean): string[] {
  return warnings.filter((warning) => !HARMLESS_WARNING.test(warning) && !(noSwap && SWAP_WARNING.test(warning))).map(cleaned);
}

function compare(at: string, asked: Readonly<Record<string, Value>>, made: Readonly<Record<string, Value>>, mayHold: (name: string, value: Value) => boolean): string[] {
  const differences: string[] = [];
  for (const name of new Set([...Object.keys(asked), ...Object.keys(made)])) {
    const value = made[name];
    const equal = name in asked ? same(name, asked[name], value) : isEmpty(value) || mayHold(name, value);
    if (!equal) differences.push(`${at}.${name}`);
  }
  return differences;
}

function same(name: string, asked: Value, made: Value): boolean {
  if (name === 'CapDrop' || name === 'CapAdd') return isDeepStrictEqual(capabilities(asked), capabilities(made));
  // NONE runs nothing; the engine completes it with the intervals of the image's own.
  if (name === 'Healthcheck') return isDeepStrictEqual(testOf(asked), testOf(made));
  // The operator's engine may add default ulimits of other names.
  if (name === 'Ulimits') return Array.isArray(asked) && Array.isArray(made) && asked.every((limit) => made.some((other) => isDeepStrictEqual(limit, other))) && named(made);
  return isEmpty(asked) ? isEmpty(made) : isDeepStrictEqual(pruned(asked), pruned(made));
}

function testOf(healthcheck: Value): Value {
  return typeof healthcheck === 'object' && healthcheck !== null && 'Test' in healthcheck ? healthcheck.Test : undefined;
}

/** Each name once: of two limits of one name nobody knows which holds. */
function named(ulimits: readonly Value[]): boolean {
  return new Set(ulimits.map((limit) => (limit as { Name?: Value }).Name)).size === ulimits.length;
}

function capabilities(value: Value): string[] {
  return Array.isArray(value) ? value.map((name) => String(name).toUpperCase().replace(/^CAP_/, '')) : [];
}

/** Each volume that was asked for, where it was, and no other. */
function onlyOurs({ HostConfig }: ContainerOptions, mounts: readonly Readonly<Record<string, Value>>[]): boolean {
  const asked = HostConfig['Mounts'] as readonly { readonly Source: string; readonly Target: string; readonly ReadOnly?: boolean }[];
  return mounts.length === asked.length && asked.every(({ Source, Target, ReadOnly = false }) => mounts.some((mount) =>
    mount['Type'] === 'volume' && mount['Name'] === Source && mount['Destination'] === Target && mount['Driver'] === 'local' && mount['RW'] === !ReadOnly));
}

/** Without members that say nothing: null, false, zero, and what is empty. The engine writes them or leaves them out as it likes. */
function pruned(value: Value): Value {
  if (Array.isArray(value)) return value.map(pruned);
  if (typeof value !== 'object' || value === null) return isEmpty(value) ? undefined : value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => !isEmpty(member)).map(([name, member]) => [name, pruned(member)]));
}

function isEmpty(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (typeof value !== 'object') return false;
  return Object.values(value).every(isEmpty);
}

/** The engine's own lists of paths, by one that every version has in them. */
function has(value: Value, path: string): boolean {
  return Array.isArray(value) && value.includes(path);
}
