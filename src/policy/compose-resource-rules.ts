import type { ComposeFile, ComposeService, Said, Ulimit } from '../compose/compose-file.ts';
import type { Edit } from '../compose/compose-problem.ts';
import type { Resources } from '../task/task.ts';
import { formatSize } from '../task/units.ts';
import type { ComposeKnobs } from './compose-knobs.ts';
import { replicasOf, runningServices } from './compose-project-rules.ts';
import { type ComposeFindings, quoted } from './compose-refusal.ts';
import type { SiteDefaults } from './resource-policy.ts';

/** The least that a container gets when what is left is divided among services that ask for nothing. */
const LEAST: Resources = { cores: 0.05, memory: 32 * 2 ** 20 };
const MEBI = 2 ** 20;
const CORE_DUMPS: ReadonlySet<string> = new Set(['core']);

/** What one service asks for, as far as it does. */
export type Asked = Partial<Resources>;

/** What is wrong with what one service asks for. `fair`: what each container can have if all have the same. */
export function resourceRules(service: ComposeService, knobs: ComposeKnobs, site: SiteDefaults, fair: Resources, findings: ComposeFindings): void {
  const { resources } = service;
  const { maximum } = site;
  agree(resources.cores, findings);
  agree(resources.memory, findings);
  agree(resources.processes, findings);
  const asked = askedOf(service);
  for (const said of [...resources.cores, ...resources.reservedCores]) {
    const most = resources.reservedCores.includes(said) ? Math.min(asked.cores ?? maximum.cores, maximum.cores) : maximum.cores;
    if (!(said.value > 0 && said.value <= most)) drop(said, `must be more than 0 and ${String(most)} cores at most`, lowered(said, 'cores', fair), findings);
  }
  for (const said of [...resources.memory, ...resources.reservedMemory]) {
    const most = resources.reservedMemory.includes(said) ? Math.min(asked.memory ?? maximum.memory, maximum.memory) : maximum.memory;
    if (!(said.value > 0 && said.value <= most)) drop(said, `must be ${formatSize(most)} at most`, lowered(said, 'memory', fair), findings);
  }
  for (const said of resources.processes) {
    if (!(said.value > 0 && said.value <= knobs.processes)) drop(said, `must be from 1 to ${String(knobs.processes)}`, [{ do: 'set', path: said.path, value: knobs.processes }], findings);
  }
  rangeRule(resources.swappiness, 0, 100, findings);
  rangeRule(resources.percent, 1, 100, findings);
  rangeRule(resources.shares, 2, 262_144, findings);
  const swap = resources.memoryAndSwap;
  if (swap !== undefined && swap.value < 0) findings.drop(swap, 'swap without limit is not given; leave it out');
  const shared = resources.sharedMemory;
  const most = asked.memory ?? maximum.memory;
  if (shared !== undefined && !(shared.value >= 0 && shared.value <= most)) drop(shared, `is memory of the service; ${formatSize(most)} at most`, undefined, findings);
  for (const unused of [resources.swappiness, resources.percent, resources.shares, swap]) {
    if (unused !== undefined) findings.warn(unused, 'is not acted on: every service has its cores and its memory, and no swap');
  }
  for (const limit of service.ulimits) ulimitRule(limit, knobs, findings);
}

/** Warns of what is memory and larger than all that the service has. `memory`: bytes. */
export function sizeWarnings({ mounts, resources }: ComposeService, memory: number, findings: ComposeFindings): void {
  const less = `is larger than the memory of the service, which is all of it that there is: ${formatSize(memory)}; give it more with mem_limit`;
  if (resources.sharedMemory !== undefined && resources.sharedMemory.value > memory) findings.warn(resources.sharedMemory, less);
  for (const mount of mounts) if (mount.size !== undefined && mount.size > memory) findings.warn(mount, less);
}

/** A limit counts before a reservation. */
export function askedOf({ resources }: ComposeService): Asked {
  const cores = resources.cores[0] ?? resources.reservedCores[0];
  const memory = resources.memory[0] ?? resources.reservedMemory[0];
  return { ...(cores === undefined ? {} : { cores: cores.value }), ...(memory === undefined ? {} : { memory: memory.value }) };
}

/** What each container can have if all have the same; the least at least. */
export function fairShare(file: ComposeFile, { maximum }: SiteDefaults): Resources {
  const containers = Math.max(1, runningServices(file).reduce((sum, service) => sum + replicasOf(service), 0));
  return {
    cores: Math.max(LEAST.cores, Math.floor((maximum.cores / containers) * 100) / 100),
    memory: Math.max(LEAST.memory, Math.floor(maximum.memory / containers / MEBI) * MEBI),
  };
}

/**
 * What each container of each service gets: what it asks for; where it asks for nothing, the site's default, or an equal part of
 * what the others leave of what one job can have, whichever is less. Tells where all together ask for more than that.
 */
export function shareResources(file: ComposeFile, site: SiteDefaults, fair: Resources, findings: ComposeFindings): ReadonlyMap<string, Resources> {
  const running = runningServices(file);
  const share = (kind: keyof Resources, step: number): ((service: ComposeService) => number) => {
    const { most, left, sharers } = budget(running, kind, site);
    const equal = sharers === 0 ? site.resources[kind] : Math.floor(left / sharers / step) * step;
    const initial = Math.min(site.resources[kind], equal);
    if (left < 0 || (sharers > 0 && initial < LEAST[kind])) {
      const shown = kind === 'memory' ? formatSize(most) : `${String(most)} cores`;
      const edits = running.flatMap((service) => [...service.resources[kind], ...reserved(service, kind)].filter(({ value }) => value > fair[kind]).flatMap((said) => lowered(said, kind, fair)));
      const why = `the services together need more than the ${shown} that one job can have; give each less, or run fewer`;
      findings.refuse('compose.resources', { path: ['services'], line: 0 }, why, edits.length === 0 ? undefined : edits);
    }
    return (service) => Math.min(askedOf(service)[kind] ?? Math.max(initial, LEAST[kind]), most);
  };
  const [cores, memory] = [share('cores', 0.01), share('memory', MEBI)];
  return new Map(file.services.map((service) => [service.name, { cores: Math.round(cores(service) * 1000) / 1000, memory: memory(service) }]));
}

function reserved({ resources }: ComposeService, kind: keyof Resources): readonly Said<number>[] {
  return kind === 'cores' ? resources.reservedCores : resources.reservedMemory;
}

/** The same key with what every container can have. */
function lowered(said: Said<number>, kind: keyof Resources, fair: Resources): readonly Edit[] {
  const key = said.path.at(-1);
  if (key === 'cpu_quota') return [{ do: 'remove', path: said.path }];
  return [{ do: 'set', path: said.path, value: kind === 'cores' ? String(fair.cores) : formatSize(fair.memory).toLowerCase() }];
}

function budget(running: readonly ComposeService[], kind: keyof Resources, site: SiteDefaults): { readonly most: number; readonly left: number; readonly sharers: number } {
  const most = site.maximum[kind];
  let [left, sharers] = [most, 0];
  for (const service of running) {
    const asked = askedOf(service)[kind];
    if (asked === undefined) sharers += replicasOf(service);
    // thousandths: 0.1 + 0.2 must fit into 0.3
    // What one service cannot have is told there.
    else left = Math.round((left - Math.min(Math.max(asked, 0), most) * replicasOf(service)) * 1000) / 1000;
  }
  return { most, left, sharers };
}

/** Several ways to say one thing must say the same. */
function agree(values: readonly Said<number>[], findings: ComposeFindings): void {
  const [first, ...others] = values;
  for (const other of others) if (first !== undefined && other.value !== first.value) findings.drop(other, 'says something else than another key for the same; give one of them');
}

function rangeRule(said: Said<number> | undefined, least: number, most: number, findings: ComposeFindings): void {
  if (said !== undefined && !(said.value >= least && said.value <= most)) findings.drop(said, `must be from ${String(least)} to ${String(most)}`);
}

function ulimitRule(limit: Ulimit, knobs: ComposeKnobs, findings: ComposeFindings): void {
  if (CORE_DUMPS.has(limit.name)) {
    if (limit.soft !== 0 || limit.hard !== 0) findings.drop(limit, 'core dumps are handled by the host; write 0');
  } else if (limit.name !== 'nofile') findings.drop(limit, `the limit ${quoted(limit.name)} is set by the site`);
  else if (!(limit.soft > 0 && limit.soft <= limit.hard && limit.hard <= knobs.openFiles)) findings.drop(limit, `must be from 1 to ${String(knobs.openFiles)}`);
}

function drop(said: Said<number>, why: string, edits: readonly Edit[] | undefined, findings: ComposeFindings): void {
  findings.refuse('compose.refused-value', said, why, edits ?? [{ do: 'remove', path: said.path }]);
}
