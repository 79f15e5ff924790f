import { z } from 'zod';
import type { Instant } from '../clock.ts';
import { engineUnavailable, cleaned } from './docker-errors.ts';
import { jobOfVolume, LABELS } from './docker-names.ts';
import type { EngineRun, Exit } from './engine.ts';

const text = z.string().nullish().transform((value) => value ?? '');
const words = z.array(z.string()).nullish().transform((value) => value ?? []);
const labels = z.record(z.string(), z.string()).nullish().transform((value) => value ?? {});
const names = z.record(z.string(), z.unknown()).nullish().transform((value) => Object.keys(value ?? {}));
const anything = z.record(z.string(), z.unknown());

const imageSchema = z.object({
  Id: z.string(),
  Os: text,
  Architecture: text,
  Variant: text,
  RootFS: z.object({ Type: z.string(), Layers: words }),
  Config: z
    .object({
      User: text,
      Env: words,
      Entrypoint: words,
      Cmd: words,
      WorkingDir: text,
      Volumes: names,
      ExposedPorts: names,
      Labels: labels,
      StopSignal: text,
      Healthcheck: z.object({ Test: words }).nullish(),
    })
    .nullish(),
});

/** What the engine says of an image, absent values as empty ones. */
export type InspectedImage = z.output<typeof imageSchema>;

const containerSchema = z.object({
  Id: z.string(),
  Name: text,
  Image: z.string(),
  Path: text,
  Args: words,
  AppArmorProfile: text,
  State: z.object({
    Status: z.string(),
    OOMKilled: z.boolean().nullish().transform((value) => value ?? false),
    ExitCode: z.number(),
    Error: text,
    StartedAt: text,
    FinishedAt: text,
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: anything,
  HostConfig: anything,
  Mounts: z.array(anything).nullish().transform((value) => value ?? []),
  NetworkSettings: z.object({ Networks: names }).nullish(),
});

/** What the engine says of a container. `Config` and `HostConfig` are left as they are: they are compared member by member. */
export type InspectedContainer = z.output<typeof containerSchema>;

const listSchema = z.array(z.object({ Id: z.string(), Labels: labels }));
const volumesSchema = z.object({ Volumes: z.array(z.object({ Name: z.string(), Labels: labels })).nullish() });
const createdSchema = z.object({ Id: z.string(), Warnings: words });

/** Throws EngineUnavailable where the answer is not one of this API: something else listens there. */
export const parseImage = (body: unknown): InspectedImage => parse(imageSchema, body);
export const parseContainer = (body: unknown): InspectedContainer => parse(containerSchema, body);
export const parseCreated = (body: unknown): z.output<typeof createdSchema> => parse(createdSchema, body);

/** Job ids in a list of containers or of volumes. */
export function jobsOfContainers(body: unknown): string[] {
  return parse(listSchema, body).flatMap(({ Labels }) => Labels[LABELS.job] ?? []);
}

/** Job ids of the gateway's volumes in a list, by their names. */
export function jobsOfVolumes(body: unknown, gateway: string): string[] {
  return (parse(volumesSchema, body).Volumes ?? []).flatMap(({ Name }) => jobOfVolume(gateway, Name) ?? []);
}

/** `body` as `schema` says. Throws EngineUnavailable. */
export function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw engineUnavailable(result.error, 'the container engine gave an answer that is not of its API');
}

const LIVE = new Set(['running', 'paused', 'restarting']);

/**
 * The engine's state in our words. A container whose start has failed stays `created` there with the engine's words; it is
 * over here, for nobody shall start it again. `dead` and `removing` are over too.
 */
export function runOf(jobId: string, container: InspectedContainer): EngineRun {
  const { State: state } = container;
  const startedAt = instantOf(state.StartedAt);
  const times = startedAt === undefined ? {} : { startedAt };
  if (LIVE.has(state.Status)) return { jobId, state: 'running', ...times };
  if (state.Status === 'created' && startedAt === undefined && state.Error === '' && state.ExitCode === 0) return { jobId, state: 'created' };
  const finished = instantOf(state.FinishedAt);
  // Two processes of the engine write the two times, and a short job can seem to end before it began.
  const finishedAt = finished === undefined ? undefined : Math.max(finished, startedAt ?? 0);
  const exit: Exit = {
    code: state.ExitCode,
    outOfMemory: state.OOMKilled,
    ...(state.Error === '' ? {} : { error: cleaned(state.Error) }),
  };
  return { jobId, state: 'exited', ...times, ...(finishedAt === undefined ? {} : { finishedAt }), exit };
}

/** Go's zero time means "never". */
function instantOf(text: string): Instant | undefined {
  const instant = Date.parse(text);
  return Number.isNaN(instant) || instant <= 0 ? undefined : instant;
}
