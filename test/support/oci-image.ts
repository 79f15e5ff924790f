import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf, type Digest } from '../../src/image/digest.ts';

/** Builds images without a daemon and pushes them byte for byte, so that a test decides every byte a registry serves. */

/** Bytes with their name and kind: a manifest, an index or a configuration. */
export interface OciDocument {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A compressed layer and the digest of what it unpacks to. */
export interface BuiltLayer {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly diffId: Digest;
}

export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The `config` member of an image configuration, in the document's own spelling. */
export type ContainerSettings = Readonly<Record<string, unknown>>;

export interface BuiltImage {
  readonly manifest: OciDocument;
  readonly config: OciDocument;
  readonly layers: readonly BuiltLayer[];
  readonly platform: ImagePlatform;
  readonly settings: ContainerSettings;
}

export interface BuiltIndex {
  readonly index: OciDocument;
  readonly images: readonly BuiltImage[];
}

/** Content, or content with a mode (default 0644), or a symbolic link. */
export type FileSpec = string | Buffer | { readonly content: string | Buffer; readonly mode?: number } | { readonly linkTo: string };

export interface ImageOptions {
  /** What to build on: another image, or nothing at all; absent = busybox. */
  readonly base?: BuiltImage | 'scratch';
  /** Files of one further layer, by absolute path. */
  readonly files?: Readonly<Record<string, FileSpec>>;
  /** Further layers, above `files`. */
  readonly layers?: readonly BuiltLayer[];
  /** `User`, `Env`, `Cmd` …, on top of the base's. */
  readonly config?: ContainerSettings;
  /** Members of the configuration document beside `config`: `created`, say. */
  readonly document?: Readonly<Record<string, unknown>>;
  readonly platform?: ImagePlatform;
  readonly format?: 'oci' | 'docker';
  readonly annotations?: Readonly<Record<string, string>>;
}

export const MEDIA_TYPES = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** This machine's platform, which the images' busybox is for. */
export const HOST_PLATFORM: ImagePlatform = {
  os: 'linux',
  architecture: ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[process.arch] ?? process.arch,
};

/** An image that runs: busybox (or `base`), then a layer of `files`, then `layers`. */
export async function buildImage(options: ImageOptions = {}): Promise<BuiltImage> {
  const format = options.format ?? 'oci';
  const base = typeof options.base === 'object' ? options.base : undefined;
  const layers = [...(base?.layers ?? [])];
  if (options.base === undefined) layers.push(await busyboxLayer());
  if (options.files !== undefined) layers.push(await layerOf(options.files));
  layers.push(...(options.layers ?? []));
  const platform = options.platform ?? base?.platform ?? HOST_PLATFORM;
  const settings = { ...(base?.settings ?? DEFAULT_SETTINGS), ...options.config };
  const config = jsonDocument(configOf(layers, platform, settings, options.document), MEDIA_TYPES[format].config);
  const manifest = jsonDocument(manifestOf(config, layers, format, options.annotations), MEDIA_TYPES[format].manifest);
  return { manifest, config, layers, platform, settings };
}

const DEFAULT_SETTINGS: ContainerSettings = { Env: ['PATH=/bin'], Cmd: ['sh'] };

/** The configuration document of these layers, as a plain object that a test may spoil before it becomes bytes. */
export function configOf(
  layers: readonly BuiltLayer[],
  platform: ImagePlatform,
  settings: ContainerSettings,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    created: '2026-01-01T00:00:00Z',
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: settings,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, i) => ({ created: '2026-01-01T00:00:00Z', created_by: `layer ${i}` })),
    ...more,
  };
}

/** The manifest document of a configuration and its layers, as a plain object. */
export function manifestOf(
  config: OciDocument,
  layers: readonly BuiltLayer[],
  format: 'oci' | 'docker' = 'oci',
  annotations?: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const types = MEDIA_TYPES[format];
  return {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(config),
    layers: layers.map((layer) => descriptorOf({ ...layer, mediaType: format === 'docker' ? types.layer : layer.mediaType })),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** An index (or Docker manifest list) of images, in their order. */
export function buildIndex(images: readonly BuiltImage[], format: 'oci' | 'docker' = 'oci'): BuiltIndex {
  const manifests = images.map((image) => ({ ...descriptorOf(image.manifest), platform: image.platform }));
  return { index: jsonDocument({ schemaVersion: 2, mediaType: MEDIA_TYPES[format].index, manifests }, MEDIA_TYPES[format].index), images };
}

/** `{mediaType, digest, size}` of some bytes. */
export function descriptorOf(of: { readonly bytes: Buffer; readonly mediaType: string; readonly digest: Digest }): {
  mediaType: string;
  digest: Digest;
  size: number;
} {
  return { mediaType: of.mediaType, digest: of.digest, size: of.bytes.length };
}

/** A document from a value. */
export function jsonDocument(value: unknown, mediaType: string): OciDocument {
  return rawDocument(JSON.stringify(value), mediaType);
}

/** A document of exactly these bytes, however malformed. */
export function rawDocument(bytes: string | Buffer, mediaType: string): OciDocument {
  const exact = Buffer.from(bytes);
  return { bytes: exact, mediaType, digest: digestOf(exact) };
}

/** The layer with /bin/busybox and its applets, /etc/passwd and /tmp. The same bytes every time on one machine. */
export function busyboxLayer(): Promise<BuiltLayer> {
  return (busybox ??= layerOf(busyboxFiles()));
}
let busybox: Promise<BuiltLayer> | undefined;

function busyboxFiles(): Record<string, FileSpec> {
  const files: Record<string, FileSpec> = {
    '/bin/busybox': { content: readFileSync(findBusybox()), mode: 0o755 },
    '/etc/passwd': 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    '/etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  };
  const applets = execFileSync(findBusybox(), ['--list'], { encoding: 'utf8' }).split('\n');
  for (const applet of applets) {
    if (applet !== '' && applet !== 'busybox') files[`/bin/${applet}`] = { linkTo: 'busybox' };
  }
  return files;
}

/** Debian's busybox-static puts it in either place; it must be static, for the image has nothing else. */
export function findBusybox(): string {
  const found = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (found === undefined) throw new Error('no busybox here; install it: sudo apt-get install -y busybox-static');
  return found;
}

/** A gzip layer of these files; `level` 1-9 changes the compressed bytes and not the content. */
export async function layerOf(files: Readonly<Record<string, FileSpec>>, level?: number): Promise<BuiltLayer> {
  return layerOfTar(await tarOf(files), level);
}

/** A gzip layer of any bytes, a tar or not. */
export function layerOfTar(tar: Buffer, level = 6): BuiltLayer {
  const bytes = gzipSync(tar, { level });
  return { bytes, mediaType: MEDIA_TYPES.oci.layer, digest: digestOf(bytes), diffId: digestOf(tar) };
}

async function tarOf(files: Readonly<Record<string, FileSpec>>): Promise<Buffer> {
  const tar = pack();
  const mtime = new Date(0);
  for (const directory of parentsOf(Object.keys(files))) {
    tar.entry({ name: `${directory}/`, type: 'directory', mode: directory === 'tmp' ? 0o1777 : 0o755, mtime });
  }
  for (const [path, spec] of Object.entries(files)) {
    const name = path.replace(/^\/+/, '');
    if (typeof spec === 'object' && 'linkTo' in spec) {
      tar.entry({ name, type: 'symlink', linkname: spec.linkTo, mode: 0o777, mtime });
      continue;
    }
    const plain = typeof spec === 'string' || Buffer.isBuffer(spec);
    tar.entry({ name, mode: plain ? 0o644 : (spec.mode ?? 0o644), mtime }, plain ? spec : spec.content);
  }
  tar.finalize();
  return buffer(tar);
}

function parentsOf(paths: readonly string[]): string[] {
  const directories = new Set<string>();
  if (paths.includes('/bin/busybox')) directories.add('tmp');
  for (const path of paths) {
    const parts = path.split('/').filter((part) => part !== '').slice(0, -1);
    parts.forEach((_, i) => directories.add(parts.slice(0, i + 1).join('/')));
  }
  return [...directories].sort();
}

/** Uploads one blob; there already = done. `host` is `localhost:PORT`, spoken to in plain http. */
export async function pushBlob(host: string, repository: string, bytes: Buffer): Promise<Digest> {
  const digest = digestOf(bytes);
  const base = `http://${host}/v2/${repository}/blobs`;
  if ((await fetch(`${base}/${digest}`, { method: 'HEAD' })).status === 200) return digest;
  const begun = await fetch(`${base}/uploads/`, { method: 'POST' });
  const location = begun.headers.get('location');
  if (begun.status !== 202 || location === null) throw new Error(`upload to ${host}/${repository}: ${begun.status} ${await begun.text()}`);
  const target = new URL(location, `http://${host}`);
  target.searchParams.set('digest', digest);
  const done = await fetch(target, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
  if (done.status !== 201) throw new Error(`upload to ${host}/${repository}: ${done.status} ${await done.text()}`);
  return digest;
}

/** Puts exactly these bytes as a manifest or index under a tag or digest. Throws when the registry refuses them. */
export async function pushManifest(host: string, repository: string, tagOrDigest: string, document: OciDocument): Promise<Digest> {
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tagOrDigest}`, {
    method: 'PUT',
    body: document.bytes,
    headers: { 'content-type': document.mediaType },
  });
  if (response.status !== 201) throw new Error(`manifest to ${host}/${repository}: ${response.status} ${await response.text()}`);
  return document.digest;
}

/** Pushes layers, configuration and manifest; the tag then names the image. Resolves with the manifest's digest. */
export async function pushImage(host: string, repository: string, tag: string, image: BuiltImage): Promise<Digest> {
  for (const layer of image.layers) await pushBlob(host, repository, layer.bytes);
  await pushBlob(host, repository, image.config.bytes);
  return pushManifest(host, repository, tag, image.manifest);
}

/** Pushes every image of the index by digest, then the index under the tag. Resolves with the index's digest. */
export async function pushIndex(host: string, repository: string, tag: string, built: BuiltIndex): Promise<Digest> {
  for (const image of built.images) await pushImage(host, repository, image.manifest.digest, image);
  return pushManifest(host, repository, tag, built.index);
}
