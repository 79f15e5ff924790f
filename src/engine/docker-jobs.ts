import type { DockerCalls } from './docker-call.ts';
import { jobsOfContainers, jobsOfVolumes } from './docker-inspect.ts';
import { isJobId, LABELS, namePrefix } from './docker-names.ts';

/** Jobs of which the engine has a container or a volume. */
export async function jobsOf(calls: DockerCalls, gateway: string, signal: AbortSignal | undefined): Promise<ReadonlySet<string>> {
  const filters = { label: [`${LABELS.gateway}=${gateway}`] };
  const [containers, volumes, networks] = await Promise.all([
    calls.ask('GET', '/containers/json', { query: { all: true, filters }, signal }),
    // by name: an engine that was killed while it made a volume has it without its labels
    calls.ask('GET', '/volumes', { query: { filters: { name: [namePrefix(gateway)] } }, signal }),
    calls.ask('GET', '/networks', { query: { filters }, signal }),
  ]);
  return new Set([...jobsOfContainers(containers.body), ...jobsOfVolumes(volumes.body, gateway), ...jobsOfContainers(networks.body)].filter(isJobId));
}
