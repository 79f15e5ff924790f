import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';
import { parse } from './docker-inspect.ts';
import { EngineRefused } from './engine.ts';

const CONFLICT = 409;

/** The bridge has no address of its own: on an internal network, too, the host would answer at it, with whatever listens there. */
const NO_HOST = { 'com.docker.network.bridge.inhibit_ipv4': 'true' };

/** The container's own loopback: names of the network are resolved by the engine before anybody else is asked, others by nobody. */
export const NO_RESOLVER = '127.0.0.1';

const networkSchema = z.object({
  Name: z.string(),
  Driver: z.string(),
  Internal: z.boolean(),
  EnableIPv6: z.boolean(),
  Attachable: z.boolean(),
  Options: z.record(z.string(), z.string()).nullish(),
  Containers: z.record(z.string(), z.object({ Name: z.string(), IPv4Address: z.string() })).nullish(),
});

/** What the engine says of a network. */
export type InspectedNetwork = z.output<typeof networkSchema>;

/** A network that leads nowhere, not even to its host. One that is there already must be like this too. Throws EngineRefused. */
export async function ensureInternalNetwork(calls: DockerCalls, name: string, labels: Readonly<Record<string, string>>): Promise<InspectedNetwork> {
  const body = { Name: name, Driver: 'bridge', Internal: true, Attachable: false, EnableIPv6: false, CheckDuplicate: true, Options: NO_HOST, Labels: labels };
  await calls.ask('POST', '/networks/create', { body, accept: [CONFLICT] });
  return mustBeInternal(parseNetwork((await calls.ask('GET', `/networks/${name}`)).body), name);
}

/** Throws EngineRefused where a network leads somewhere. */
export function mustBeInternal(network: InspectedNetwork, name: string): InspectedNetwork {
  const inhibited = Object.entries(NO_HOST).every(([key, value]) => network.Options?.[key] === value);
  if (network.Name === name && network.Driver === 'bridge' && network.Internal && !network.EnableIPv6 && !network.Attachable && inhibited) return network;
  throw new EngineRefused("the engine's network is not the one that was asked for");
}

export function parseNetwork(body: unknown): InspectedNetwork {
  return parse(networkSchema, body);
}
