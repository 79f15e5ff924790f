import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { z } from 'zod';
import type { PinnedFile, PinnedService } from '../task/project.ts';
import type { DockerCalls } from './docker-call.ts';
import { DockerStatusError } from './docker-errors.ts';
import { parse } from './docker-inspect.ts';
import { type PathStat, statOf } from './docker-path-stat.ts';
import { type ProjectNames, SERVICE_LABELS } from './docker-project-names.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

const madeSchema = z.array(z.object({ Id: z.string(), ParentId: z.string().nullish() }));
const NO_TIME = new Date(0);

/** The image and the files of one service. */
export interface ServiceFiles {
  /** The engine's id of the image as judged. */
  readonly imageId: string;
  readonly service: PinnedService;
  /** Of the service among all. */
  readonly index: number;
  readonly names: ProjectNames;
}

/** Brings configs and secrets with content to services: as files of an image, for a root file system that is read-only takes none. */
export class ProjectFiles {
  readonly #calls: DockerCalls;

  constructor(calls: DockerCalls) {
    this.#calls = calls;
  }

  /**
   * The id of an image that is the one as judged, with the service's files in it. One made before is found by its
   * labels and by what it was made of: the labels alone any image that was pulled may have. Throws EngineRefused.
   */
  async imageWith(place: ServiceFiles): Promise<string> {
    const { imageId, index, names, service } = place;
    if (service.files.length === 0) return imageId;
    const [made] = await this.#made(place);
    if (made !== undefined) return made;
    const container = names.files(index);
    const Labels = labelsOf(place);
    const body = { Image: imageId, Cmd: ['never-started'], Labels, HostConfig: { NetworkMode: 'none' } };
    await this.#calls.ask('POST', '/containers/create', { query: { name: container }, body, accept: [CONFLICT] });
    const written = await this.#calls.open('PUT', `/containers/${container}/archive`, { query: { path: '/' }, tar: await tarOf(service.files) });
    written.resume();
    // an engine that goes down takes the files, and writes them below what it has unmounted
    await this.#calls.mustListen();
    const { body: committed } = await this.#calls.ask('POST', '/commit', { query: { container, pause: false }, body: { Labels } });
    await this.#calls.ask('DELETE', `/containers/${container}`, { query: { force: true, v: true }, accept: [NOT_FOUND] });
    return parse(z.object({ Id: z.string() }), committed).Id;
  }

  /** Whether a container that was never started has every one of these files, byte for byte, where its program will look for it. */
  async areIn(container: string, files: readonly PinnedFile[]): Promise<boolean> {
    for (const file of files) if (!(await this.#isIn(container, file))) return false;
    return true;
  }

  /**
   * The first of these files that a container would hide, with the folder of its own that does: where its image has a symbolic link on the way to the file,
   * neither path tells. Without such a link what hides was refused before.
   */
  async hidden(container: string, files: readonly PinnedFile[], folders: readonly string[]): Promise<{ readonly path: string; readonly folder: string } | undefined> {
    const links = new Map<string, string>();
    const real: string[] = [];
    for (const folder of files.length === 0 ? [] : folders) real.push(await this.#real(container, folder, links));
    for (const { path } of files) {
      const target = await this.#real(container, path, links);
      const at = real.findIndex((folder) => `${target}/`.startsWith(`${folder}/`));
      if (at !== -1) return { path, folder: folders[at] ?? '' };
    }
    return undefined;
  }

  /** The path without symbolic links. `links`: what was found before. */
  async #real(container: string, path: string, links: Map<string, string>): Promise<string> {
    let real = '';
    for (const part of path.split('/').slice(1)) {
      const here = `${real}/${part}`;
      real = links.get(here) ?? (await this.#stat(container, here))?.linkTarget ?? here;
      links.set(here, real);
    }
    return real;
  }

  /** Removes the images with the service's files, where no container is of them: the next `imageWith` makes one. */
  async forget(place: ServiceFiles): Promise<void> {
    for (const id of await this.#made(place)) await this.#calls.ask('DELETE', `/images/${id}`, { accept: [NOT_FOUND, CONFLICT] });
  }

  async #made(place: ServiceFiles): Promise<readonly string[]> {
    const filters = { label: Object.entries(labelsOf(place)).map(([name, value]) => `${name}=${value}`) };
    const images = parse(madeSchema, (await this.#calls.ask('GET', '/images/json', { query: { all: true, filters } })).body);
    return images.filter(({ ParentId }) => ParentId === place.imageId).map(({ Id }) => Id);
  }

  async #isIn(container: string, { content, mode, path }: PinnedFile): Promise<boolean> {
    const bytes = Buffer.from(content);
    const stat = await this.#stat(container, path);
    // the size first: what else is there may be larger than anybody wants to read
    if (stat?.isFile !== true || stat.size !== bytes.length || stat.permissions !== mode) return false;
    const { body } = await this.#calls.ask('GET', `/containers/${container}/archive`, { query: { path } });
    return Buffer.isBuffer(body) && bytes.equals(await contentOf(body));
  }

  /** undefined = there is nothing. */
  #stat(container: string, path: string): Promise<PathStat | undefined> {
    return statOf(this.#calls, container, path).catch((error: unknown) => {
      if (error instanceof DockerStatusError && error.status === NOT_FOUND) return undefined;
      throw error;
    });
  }
}

function labelsOf({ names, service }: ServiceFiles): Readonly<Record<string, string>> {
  return { ...names.labels('files'), [SERVICE_LABELS.service]: service.name };
}

function tarOf(files: readonly PinnedFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { path, content, uid, gid, mode } of files) tar.entry({ name: path.replace(/^\/+/, ''), mode, uid, gid, mtime: NO_TIME }, content);
  tar.finalize();
  return buffer(tar);
}

/** Of the first entry of a tar; nothing where it has none. */
async function contentOf(tar: Buffer): Promise<Buffer> {
  const extractor = extract();
  extractor.end(tar);
  for await (const entry of extractor) return buffer(entry);
  return Buffer.alloc(0);
}
