import { z } from 'zod';
import type { ContainerUse } from '../task/usage.ts';
import type { DockerCalls } from './docker-call.ts';
import { parse } from './docker-inspect.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

const number = z.number().nullish().transform((value) => value ?? undefined);
const statsSchema = z.object({
  // the engine's zero time where it has nothing to tell: the container does not run
  read: z.string(),
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: number }) }),
  memory_stats: z.object({ usage: number, max_usage: number }).nullish(),
  blkio_stats: z.object({ io_service_bytes_recursive: z.array(z.object({ op: z.string(), value: z.number() })).nullish() }).nullish(),
  networks: z.record(z.string(), z.object({ rx_bytes: z.number(), tx_bytes: z.number() })).nullish(),
});

/**
 * What a running container has used since its start; undefined where it does not run: the engine keeps nothing of one that is over.
 * Engine 20.10 answers at once only where it was not asked within the last second.
 */
export async function usageOf(calls: DockerCalls, container: string, signal: AbortSignal): Promise<ContainerUse | undefined> {
  const call = { query: { stream: false, 'one-shot': true }, accept: [NOT_FOUND, CONFLICT], signal };
  const { body } = await calls.ask('GET', `/containers/${container}/stats`, call);
  return body === undefined ? undefined : readStats(body);
}

/** An answer of the engine's; undefined where it is of a container that does not run. */
export function readStats(body: unknown): ContainerUse | undefined {
  const { read, cpu_stats, memory_stats, blkio_stats, networks } = parse(statsSchema, body);
  const nanoseconds = cpu_stats.cpu_usage.total_usage;
  if (read.startsWith('0001-') || nanoseconds === undefined || memory_stats?.usage === undefined) return undefined;
  const blocks = blkio_stats?.io_service_bytes_recursive ?? [];
  const moved = (op: string): number => blocks.filter((each) => each.op.toLowerCase() === op).reduce((total, { value }) => total + value, 0);
  const links = Object.values(networks ?? {});
  return {
    cpuSeconds: nanoseconds / 1e9,
    // the kernel remembers the peak with cgroups v1 alone
    peakMemory: Math.max(memory_stats.usage, memory_stats.max_usage ?? 0),
    ...(blocks.length === 0 ? {} : { readBytes: moved('read'), writtenBytes: moved('write') }),
    ...(links.length === 0 ? {} : { receivedBytes: links.reduce((total, { rx_bytes }) => total + rx_bytes, 0), sentBytes: links.reduce((total, { tx_bytes }) => total + tx_bytes, 0) }),
  };
}
