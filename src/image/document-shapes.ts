import { MAP, struct, UNKNOWN } from './strict-json.ts';

/*
 * The fields that an engine reads from each document, in their right spelling: image-spec v1.1 (descriptor.md,
 * manifest.md, image-index.md, config.md) and Docker's own (image/image.go, api/types/container/config.go). A key that
 * differs from one of these only in letter case is refused, for the engine would read it as that field.
 */
const field = UNKNOWN;

const platform = struct({ architecture: field, os: field, 'os.version': field, 'os.features': field, variant: field, features: field });

const descriptorFields = { mediaType: field, digest: field, size: field, urls: field, annotations: MAP, data: field, artifactType: field, platform };
const descriptor = struct(descriptorFields);

/** Manifest and index in one, so that a document that is both is seen as such; schema 1's fields for the same reason. */
export const MANIFEST_SHAPE = struct({
  schemaVersion: field,
  mediaType: field,
  artifactType: field,
  config: descriptor,
  layers: descriptor,
  manifests: descriptor,
  subject: descriptor,
  annotations: MAP,
  name: field,
  tag: field,
  architecture: field,
  fsLayers: field,
  history: field,
  signatures: field,
});

const healthcheck = struct({ Test: field, Interval: field, Timeout: field, StartPeriod: field, StartInterval: field, Retries: field });

const containerConfig = struct({
  Hostname: field,
  Domainname: field,
  User: field,
  AttachStdin: field,
  AttachStdout: field,
  AttachStderr: field,
  ExposedPorts: MAP,
  Tty: field,
  OpenStdin: field,
  StdinOnce: field,
  Env: field,
  Cmd: field,
  Healthcheck: healthcheck,
  ArgsEscaped: field,
  Image: field,
  Volumes: MAP,
  WorkingDir: field,
  Entrypoint: field,
  NetworkDisabled: field,
  MacAddress: field,
  OnBuild: field,
  Labels: MAP,
  StopSignal: field,
  StopTimeout: field,
  Shell: field,
  Memory: field,
  MemorySwap: field,
  CpuShares: field,
});

/** The image configuration. */
export const CONFIG_SHAPE = struct({
  id: field,
  parent: field,
  parent_id: field,
  layer_id: field,
  comment: field,
  created: field,
  container: field,
  container_config: containerConfig,
  docker_version: field,
  author: field,
  config: containerConfig,
  architecture: field,
  variant: field,
  os: field,
  'os.version': field,
  'os.features': field,
  Size: field,
  rootfs: struct({ type: field, diff_ids: field, base_layer: field }),
  history: struct({ created: field, author: field, created_by: field, comment: field, empty_layer: field }),
});
