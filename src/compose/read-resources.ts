import type { Said, ServiceHealthcheck, ServiceResources, Ulimit } from './compose-file.ts';
import { type ComposeNode, member } from './compose-node.ts';
import { memberAt, placeOf, type Reading } from './reading.ts';

/** What a service asks for, in every way in which Compose lets it be said. */
export function readResources(service: ComposeNode, reading: Reading): ServiceResources {
  const limits = memberAt(service, 'deploy', 'resources', 'limits');
  const reserved = memberAt(service, 'deploy', 'resources', 'reservations');
  const optional = <K extends string>(name: K, said: Said<number> | undefined): Partial<Record<K, Said<number>>> =>
    (said === undefined ? {} : { [name]: said }) as Partial<Record<K, Said<number>>>;
  return {
    cores: present(reading.decimal(member(service, 'cpus')), reading.decimal(member(limits, 'cpus')), reading.decimal(member(service, 'cpu_count')), quota(service, reading)),
    reservedCores: present(reading.decimal(member(reserved, 'cpus'))),
    memory: present(reading.size(member(service, 'mem_limit')), reading.size(member(limits, 'memory'))),
    reservedMemory: present(reading.size(member(service, 'mem_reservation')), reading.size(member(reserved, 'memory'))),
    processes: present(reading.integer(member(service, 'pids_limit')), reading.integer(member(limits, 'pids'))),
    ...optional('memoryAndSwap', reading.size(member(service, 'memswap_limit'))),
    ...optional('swappiness', reading.integer(member(service, 'mem_swappiness'))),
    ...optional('sharedMemory', reading.size(member(service, 'shm_size'))),
    ...optional('shares', reading.decimal(member(service, 'cpu_shares'))),
    ...optional('percent', reading.decimal(member(service, 'cpu_percent'))),
  };
}

/** Microseconds of a period, the kernel's default. */
const PERIOD = 100_000;

/** `cpu_quota` of `cpu_period`, both in microseconds or as durations, as cores. */
function quota(service: ComposeNode, reading: Reading): Said<number> | undefined {
  const [quotaNode, periodNode] = [member(service, 'cpu_quota'), member(service, 'cpu_period')];
  const period = microseconds(periodNode, reading);
  const said = microseconds(quotaNode, reading);
  if (said === undefined) return undefined;
  const of = period?.value ?? PERIOD;
  if (of <= 0) return reading.wrong(periodNode ?? said, 'a period longer than 0');
  return { ...said, value: said.value / of };
}

function microseconds(node: ComposeNode | undefined, reading: Reading): Said<number> | undefined {
  if (node?.kind === 'scalar' && typeof node.value === 'string' && /[a-z]/.test(node.value)) {
    const said = reading.duration(node);
    return said === undefined ? undefined : { ...said, value: said.value * 1000 };
  }
  return reading.decimal(node);
}

function present<T>(...values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value): value is T & {} => value !== undefined);
}

/** `ulimits`: one number for both, or soft and hard. */
export function readUlimits(service: ComposeNode, reading: Reading): readonly Ulimit[] {
  return [...reading.members(member(service, 'ulimits'))].flatMap(([name, node]) => {
    const [soft, hard] = node.kind === 'map' ? [reading.integer(member(node, 'soft')), reading.integer(member(node, 'hard'))] : [reading.integer(node), reading.integer(node)];
    if (soft === undefined || hard === undefined) {
      if (node.kind === 'map') reading.wrong(node, 'a number, or soft and hard');
      return [];
    }
    return [{ ...placeOf(node), name, soft: soft.value, hard: hard.value }];
  });
}

/** `healthcheck` of a service; undefined where it has none. */
export function readHealthcheck(service: ComposeNode, reading: Reading): ServiceHealthcheck | undefined {
  const node = member(service, 'healthcheck');
  if (node === undefined) return undefined;
  const members = reading.members(node);
  const disabled = reading.flag(members.get('disable'))?.value === true;
  const times = { interval: 'interval', timeout: 'timeout', startPeriod: 'start_period', startInterval: 'start_interval' } as const;
  const retries = reading.integer(members.get('retries'));
  const said = Object.entries(times).map(([name, key]) => [name, reading.duration(members.get(key))] as const).filter(([, duration]) => duration !== undefined);
  return {
    ...placeOf(node),
    test: disabled ? ['NONE'] : readTest(members.get('test'), reading),
    ...(Object.fromEntries(said) as Partial<Record<keyof typeof times, Said<number>>>),
    ...(retries === undefined ? {} : { retries }),
  };
}

function readTest(node: ComposeNode | undefined, reading: Reading): readonly string[] {
  if (node?.kind === 'scalar') {
    const said = reading.text(node);
    return said === undefined ? [] : ['CMD-SHELL', said.value];
  }
  const words = reading.words(node)?.value ?? [];
  const [kind] = words;
  const right = words.length === 0 || (kind === 'NONE' && words.length === 1) || (kind === 'CMD' && words.length > 1) || (kind === 'CMD-SHELL' && words.length === 2);
  if (!right && node !== undefined) reading.wrong(node, '["NONE"], ["CMD", word, …] or ["CMD-SHELL", text]');
  return right ? words : [];
}
