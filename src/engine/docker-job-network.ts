import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';
import { DockerStatusError } from './docker-errors.ts';
import { parse } from './docker-inspect.ts';
import { ensureInternalNetwork, type InspectedNetwork, mustBeInternal, parseNetwork } from './docker-internal-network.ts';
import { type DockerNames, labelsOf, networkOf } from './docker-names.ts';
import type { NetworkProfile } from './engine-config.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const FORBIDDEN = 403;

/** The network of one job, as its container needs it. */
export interface JobNetwork {
  readonly name: string;
  /** `http://10.1.2.3:3128`: the only thing that the job reaches. An address, for not every runtime resolves names in it. */
  readonly proxy: string;
}

const egressSchema = z.object({
  State: z.object({ Running: z.boolean() }),
  HostConfig: z.object({ NetworkMode: z.string(), Privileged: z.boolean().nullish() }),
});

/** What is wrong with the container that a profile names; undefined = it can be used. Throws EngineUnavailable. */
export async function egressProblem(calls: DockerCalls, { egress }: NetworkProfile, signal?: AbortSignal): Promise<string | undefined> {
  const { body } = await calls.ask('GET', `/containers/${egress}/json`, { accept: [NOT_FOUND], signal });
  if (body === undefined) return 'there is no such container';
  const { HostConfig, State } = parse(egressSchema, body);
  if (!State.Running) return 'it does not run';
  // in the host's network it is no member of any other, and what takes it over has the host
  if (HostConfig.NetworkMode === 'host') return "it is in the host's network";
  return HostConfig.Privileged === true ? 'it is privileged' : undefined;
}

/**
 * Networks of jobs: one for each job, internal, without an address of the host, and with one other member, the egress container of
 * the profile. Jobs never share one, so that they cannot reach each other.
 */
export class JobNetworks {
  readonly #calls: DockerCalls;
  readonly #gateway: string;
  readonly #profiles: ReadonlyMap<string, NetworkProfile>;

  constructor(calls: DockerCalls, gateway: string, profiles: readonly NetworkProfile[]) {
    this.#calls = calls;
    this.#gateway = gateway;
    this.#profiles = new Map(profiles.map((profile) => [profile.name, profile]));
  }

  /** Makes the job's network and puts the egress container into it. Repeating it is harmless. Throws EngineRefused. */
  async prepare(jobId: string, names: DockerNames, profileName: string): Promise<JobNetwork> {
    const profile = this.#profiles.get(profileName);
    if (profile === undefined) throw new EngineRefused(`this site has no network profile ${profileName}`);
    const problem = await egressProblem(this.#calls, profile);
    if (problem !== undefined) throw new EngineRefused(`the network profile ${profileName} cannot be used: ${problem}`, { temporary: true });
    await ensureInternalNetwork(this.#calls, networkOf(names), labelsOf(this.#gateway, jobId, 'network'));
    await this.#join(networkOf(names), profile.egress);
    const network = await this.#mustBeOnly(names, profile.egress);
    const [address] = Object.values(network.Containers ?? {}).filter(({ Name }) => Name === profile.egress).map(({ IPv4Address }) => IPv4Address.split('/')[0]);
    if (address === undefined || address === '') throw new EngineRefused('the egress container has no address in the network of the job', { temporary: true });
    return { name: networkOf(names), proxy: `http://${address}:${String(profile.port)}` };
  }

  /** Before the start: nobody has changed the network since, and nobody else is in it. Throws EngineRefused. */
  async check(names: DockerNames): Promise<void> {
    await this.#mustBeOnly(names, undefined);
  }

  /** Removes the job's network, whoever is in it. None there = done. */
  async remove(names: DockerNames): Promise<void> {
    const path = `/networks/${networkOf(names)}`;
    const { status } = await this.#calls.ask('DELETE', path, { accept: [NOT_FOUND, FORBIDDEN] });
    if (status !== FORBIDDEN) return;
    const network = await this.#inspect(networkOf(names));
    if (network === undefined) return;
    for (const { Name } of Object.values(network.Containers ?? {})) {
      await this.#calls.ask('POST', `${path}/disconnect`, { body: { Container: Name, Force: true }, accept: [NOT_FOUND, FORBIDDEN] });
    }
    await this.#calls.ask('DELETE', path, { accept: [NOT_FOUND] });
  }

  async #join(network: string, container: string): Promise<void> {
    try {
      await this.#calls.ask('POST', `/networks/${network}/connect`, { body: { Container: container } });
    } catch (error) {
      if (!(error instanceof DockerStatusError && /already exists/.test(error.message))) throw error;
    }
  }

  async #mustBeOnly(names: DockerNames, egress: string | undefined): Promise<InspectedNetwork> {
    const network = await this.#inspect(networkOf(names));
    if (network === undefined) throw new EngineRefused('the network of the job is gone');
    mustBeInternal(network, networkOf(names));
    const egresses = new Set(egress === undefined ? [...this.#profiles.values()].map((profile) => profile.egress) : [egress]);
    const strangers = Object.values(network.Containers ?? {}).filter(({ Name }) => Name !== names.container && !egresses.has(Name));
    if (strangers.length > 0) throw new EngineRefused('somebody else is in the network of the job');
    return network;
  }

  async #inspect(name: string): Promise<InspectedNetwork | undefined> {
    const { body } = await this.#calls.ask('GET', `/networks/${name}`, { accept: [NOT_FOUND] });
    return body === undefined ? undefined : parseNetwork(body);
  }
}
