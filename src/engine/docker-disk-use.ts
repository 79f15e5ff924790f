import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';
import { parse } from './docker-inspect.ts';
import { LABELS } from './docker-names.ts';

const labels = z.record(z.string(), z.string()).nullish();
const list = <T extends z.ZodType>(entry: T) => z.array(entry).nullish().transform((value) => value ?? []);
const usageSchema = z.object({
  Volumes: list(z.object({ Labels: labels, UsageData: z.object({ Size: z.number() }).nullish() })),
  Containers: list(z.object({ Labels: labels, SizeRw: z.number().nullish() })),
});

/**
 * Bytes that each job of a gateway has on the engine's disk: its volumes, and what its containers wrote into their root file system.
 * The engine counts files by their length, from outside: no program of the job's has a say in it.
 */
export async function diskUse(calls: DockerCalls, gateway: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  // `type` spares newer engines the walk through everything else; older ones ignore it
  const { body } = await calls.ask('GET', '/system/df?type=volume&type=container', { signal });
  const { Volumes, Containers } = parse(usageSchema, body);
  const bytes = new Map<string, number>();
  const add = (of: z.output<typeof labels>, size: number | null | undefined): void => {
    const job = of?.[LABELS.gateway] === gateway ? of[LABELS.job] : undefined;
    // -1 = the engine does not know
    if (job !== undefined && (size ?? 0) > 0) bytes.set(job, (bytes.get(job) ?? 0) + (size ?? 0));
  };
  for (const { Labels, UsageData } of Volumes) add(Labels, UsageData?.Size);
  for (const { Labels, SizeRw } of Containers) add(Labels, SizeRw);
  return bytes;
}

const volumeSchema = z.object({ Options: z.record(z.string(), z.string()).nullish() });

/** Whether the engine holds this volume to so many bytes. */
export async function isHeldTo(bytes: number, calls: DockerCalls, volume: string): Promise<boolean> {
  const { body } = await calls.ask('GET', `/volumes/${volume}`);
  return parse(volumeSchema, body).Options?.['size'] === String(bytes);
}
