import { z } from 'zod';
import type { Instant } from '../clock.ts';
import { isDigest, type Digest } from './digest.ts';
import { CONFIG_SHAPE } from './document-shapes.ts';
import { ImageUnacceptable } from './image-unacceptable.ts';
import type { ImageConfig } from './image.ts';
import type { Descriptor } from './manifest.ts';
import { formatPlatform, normalisePlatform, samePlatform, type Platform } from './platform.ts';
import { quoted } from './quoted.ts';
import { parseStrictJson } from './strict-json.ts';

/** What an image configuration says: image-spec, config.md. */
export interface ImageDocument {
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[];
  readonly config: ImageConfig;
  readonly created?: Instant;
}

/** Go reads null as the empty value. */
const text = z.string().nullish().transform((value) => value ?? '');
const texts = z.array(z.string()).nullish().transform((value) => value ?? []);
/** A set: `{"/data": {}}`. */
const names = z.record(z.string(), z.unknown()).nullish().transform((value) => Object.keys(value ?? {}));

/** Zero says nothing. */
const count = z.number().nullish().transform((value) => (value == null || value <= 0 ? undefined : value));
const NANOSECONDS = 1_000_000;

const containerSchema = z.object({
  User: text,
  Env: texts,
  Entrypoint: texts,
  Cmd: texts,
  WorkingDir: text,
  Volumes: names,
  ExposedPorts: names,
  Labels: z.record(z.string(), z.string()).nullish().transform((value) => value ?? {}),
  StopSignal: text,
  Healthcheck: z.object({ Test: texts, Interval: count, Timeout: count, StartPeriod: count, Retries: count }).nullish(),
});

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

const configSchema = z.object({
  os: z.string().min(1),
  architecture: z.string().min(1),
  variant: z.string().nullish(),
  created: z.string().regex(RFC3339).nullish(),
  config: containerSchema.nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(z.unknown()).nullish() }),
  history: z.array(z.object({ empty_layer: z.boolean().nullish() })).nullish(),
});

/** A configuration from its exact bytes. Throws ImageUnacceptable. */
export function parseImageConfig(bytes: Uint8Array): ImageDocument {
  const result = configSchema.safeParse(parseStrictJson(bytes, CONFIG_SHAPE, 'configuration'));
  if (!result.success) {
    const path = result.error.issues[0]?.path.map(String).join('.') ?? '';
    throw new ImageUnacceptable('image.config', `the configuration has no valid ${path === '' ? 'content' : quoted(path)}`);
  }
  const { os, architecture, variant, created, config, rootfs, history } = result.data;
  const diffIds = diffIdsOf(rootfs.diff_ids ?? []);
  checkHistory(history ?? [], diffIds.length);
  const instant = created == null ? undefined : Date.parse(created);
  return {
    platform: { os, architecture, ...(variant == null ? {} : { variant }) },
    diffIds,
    config: settingsOf(config ?? containerSchema.parse({})),
    ...(instant === undefined || Number.isNaN(instant) ? {} : { created: instant }),
  };
}

function settingsOf(config: z.output<typeof containerSchema>): ImageConfig {
  return {
    user: config.User,
    env: config.Env,
    entrypoint: config.Entrypoint,
    command: config.Cmd,
    workingDirectory: config.WorkingDir,
    volumes: config.Volumes,
    exposedPorts: config.ExposedPorts,
    labels: config.Labels,
    stopSignal: config.StopSignal,
    healthcheck: config.Healthcheck?.Test ?? [],
    ...healthTimesOf(config.Healthcheck ?? {}),
  };
}

function healthTimesOf({ Interval, Timeout, StartPeriod, Retries }: Partial<NonNullable<z.output<typeof containerSchema>['Healthcheck']>>): Pick<ImageConfig, 'healthTimes'> {
  const times = { interval: Interval, timeout: Timeout, startPeriod: StartPeriod };
  const said = Object.entries(times).flatMap(([name, value]) => (value === undefined ? [] : [[name, Math.ceil(value / NANOSECONDS)]]));
  const healthTimes = { ...Object.fromEntries(said), ...(Retries === undefined ? {} : { retries: Retries }) } as NonNullable<ImageConfig['healthTimes']>;
  return Object.keys(healthTimes).length === 0 ? {} : { healthTimes };
}

function diffIdsOf(list: readonly unknown[]): readonly Digest[] {
  return list.map((id, i) => {
    if (isDigest(id)) return id;
    throw new ImageUnacceptable('image.config', `diff_id ${i} of the configuration is not a SHA-256 digest`);
  });
}

/** Where there is a history, each step that is not empty made one layer. Some builders write none. */
function checkHistory(history: readonly { readonly empty_layer?: boolean | null | undefined }[], layers: number): void {
  const steps = history.filter((step) => step.empty_layer !== true).length;
  if (history.length > 0 && steps !== layers) {
    throw new ImageUnacceptable('image.layer-count', `the configuration has ${layers} diff_ids and a history of ${steps} layers`);
  }
}

/**
 * Whether configuration, manifest and index speak of one image, for the platform that is wanted. Throws ImageUnacceptable:
 * registries and engines do not look.
 */
export function checkAgreement(document: ImageDocument, layerCount: number, entry: Descriptor | undefined, wanted: Platform): void {
  if (document.diffIds.length !== layerCount) {
    throw new ImageUnacceptable('image.layer-count', `the manifest has ${layerCount} layers and the configuration ${document.diffIds.length} diff_ids`);
  }
  const own = normalisePlatform(document.platform);
  const target = normalisePlatform(wanted);
  if (entry?.platform !== undefined) {
    const said = normalisePlatform(entry.platform);
    // Older builders give the variant in the index only.
    const variant = document.platform.variant === undefined ? said.variant : own.variant;
    if (!samePlatform(said, { ...own, variant })) {
      throw new ImageUnacceptable('image.platform-contradiction', `the index offers the image for ${quoted(formatPlatform(said))} and its configuration is for ${quoted(formatPlatform(own))}`);
    }
    if (samePlatform(said, target)) return;
  }
  if (!samePlatform(own, target)) {
    throw new ImageUnacceptable('image.platform', `the image is for ${quoted(formatPlatform(own))}, not for ${formatPlatform(target)}`);
  }
}
