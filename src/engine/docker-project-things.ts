import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { z } from 'zod';
import type { PinnedFile, PinnedProject, PinnedService } from '../task/project.ts';
import { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { parse } from './docker-inspect.ts';
import { ensureInternalNetwork } from './docker-internal-network.ts';
import type { DockerNames } from './docker-names.ts';
import { type ProjectNames, type ServiceContainer, SERVICE_LABELS } from './docker-project-names.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

const namedSchema = z.array(z.object({ Id: z.string() }));

/** What the containers of a project need to be there before them: networks, volumes, images with files in them. */
export class ProjectThings {
  readonly #calls: DockerCalls;
  readonly #blank: BlankVolume;

  /** `gateway`: as in names of projects. */
  constructor(calls: DockerCalls, gateway: string) {
    this.#calls = calls;
    this.#blank = new BlankVolume(calls, gateway);
  }

  /** Makes every network and volume of the project; what is there already is kept. Throws EngineRefused. */
  async prepare(jobId: string, project: PinnedProject, containers: readonly ServiceContainer[], names: ProjectNames): Promise<void> {
    await allDone(project.services.flatMap((service) => this.#outside(service)));
    await allDone([
      ...project.networks.map((_, i) => ensureInternalNetwork(this.#calls, names.network(i), names.labels('network'))),
      ...project.volumes.map((volume, i) => this.#volume(jobId, names.volume(i), ownerOf(volume, project))),
      ...containers.flatMap(({ anonymous, service }) => [...anonymous.values()].map((name) => this.#volume(jobId, { container: name, blank: `${name}.blank`, output: name }, service.task.user))),
    ]);
  }

  /** Makes the output volume of one container; `tidy` is to be called once the container is there. */
  async prepareOutput(jobId: string, names: DockerNames): Promise<() => Promise<void>> {
    await this.#blank.prepare(jobId, names);
    return () => this.#blank.tidy(names);
  }

  /** The id of an image that is `imageId` with these files in it. One made before is found by its label. */
  async withFiles(imageId: string, service: PinnedService, index: number, names: ProjectNames): Promise<string> {
    if (service.files.length === 0) return imageId;
    const labels = { ...names.labels('files'), [SERVICE_LABELS.service]: service.name };
    const filters = { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
    const [made] = parse(namedSchema, (await this.#calls.ask('GET', '/images/json', { query: { all: true, filters } })).body);
    if (made !== undefined) return made.Id;
    const container = names.files(index);
    const body = { Image: imageId, Cmd: ['never-started'], Labels: labels, HostConfig: { NetworkMode: 'none' } };
    await this.#calls.ask('POST', '/containers/create', { query: { name: container }, body, accept: [CONFLICT] });
    const written = await this.#calls.open('PUT', `/containers/${container}/archive`, { query: { path: '/' }, tar: await filesTar(service.files) });
    written.resume();
    // an engine that goes down takes the files, and writes them below what it has unmounted
    await this.#calls.mustListen();
    const { body: committed } = await this.#calls.ask('POST', '/commit', { query: { container, pause: false }, body: { Labels: labels } });
    await this.#calls.ask('DELETE', `/containers/${container}`, { query: { force: true, v: true }, accept: [NOT_FOUND] });
    return parse(z.object({ Id: z.string() }), committed).Id;
  }

  /** A volume that belongs to its first user: a database, for one, insists on owning its folder. Others may write too. */
  async #volume(jobId: string, names: DockerNames, owner: string): Promise<void> {
    await this.#blank.prepare(jobId, names);
    const [uid = 0, gid = 0] = owner.split(':').map(Number);
    const given = await this.#calls.open('PUT', `/containers/${names.blank}/archive`, { query: { path: '/' }, tar: await folderTar(uid, gid) });
    given.resume();
    await this.#calls.mustListen();
    await this.#blank.tidy(names);
  }

  /** What the site offers has to be there: the engine would make a volume that is not, and run. */
  #outside(service: PinnedService): readonly Promise<void>[] {
    const volumes = service.mounts.flatMap((mount) => (mount.kind === 'shared' ? [mount.volume] : []));
    const networks = service.networks.flatMap(({ network, external }) => (external === true ? [network] : []));
    return [
      ...volumes.map((name) => this.#mustExist(`/volumes/${name}`, `the shared volume ${name}`)),
      ...networks.map((name) => this.#mustExist(`/networks/${name}`, `the external network ${name}`)),
    ];
  }

  async #mustExist(path: string, what: string): Promise<void> {
    const { status } = await this.#calls.ask('GET', path, { accept: [NOT_FOUND] });
    if (status === NOT_FOUND) throw new EngineRefused(`the engine does not have ${what}`);
  }
}

/** Resolves or rejects when all have: what is still being made while others have failed would be made after everything was removed. */
export async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** The user of the first service that can write to it. */
function ownerOf(volume: string, project: PinnedProject): string {
  const writer = project.services.find(({ mounts }) => mounts.some((mount) => mount.kind === 'volume' && mount.volume === volume && !mount.readOnly));
  return writer?.task.user ?? '0:0';
}

const NO_TIME = new Date(0);

/** The folder that the blank image has, with another owner. */
function folderTar(uid: number, gid: number): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'output/', type: 'directory', mode: 0o777, uid, gid, mtime: NO_TIME });
  tar.finalize();
  return buffer(tar);
}

function filesTar(files: readonly PinnedFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { path, content, uid, gid, mode } of files) tar.entry({ name: path.replace(/^\/+/, ''), mode, uid, gid, mtime: NO_TIME }, content);
  tar.finalize();
  return buffer(tar);
}
