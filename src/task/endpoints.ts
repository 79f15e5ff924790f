import type { PinnedWork } from './project.ts';

/** A place where a job serves, while it runs. */
export interface Endpoint {
  /** Of a project the service's name; of a single container MAIN_SERVICE. */
  readonly service: string;
  /** TCP. */
  readonly port: number;
}

/** Ports of one container that serve. */
export const MOST_PORTS = 16;

/** What the only service of a job of one container is called. */
export const MAIN_SERVICE = 'main';

/** Where a job serves by what was judged, in the order of its services. */
export function endpointsOf(work: PinnedWork | null): readonly Endpoint[] {
  if (work === null) return [];
  const tasks = work.type === 'container' ? [{ name: MAIN_SERVICE, task: work }] : work.services;
  return tasks.flatMap(({ name, task: { ports = [] } }) => ports.map((port) => ({ service: name, port })));
}
