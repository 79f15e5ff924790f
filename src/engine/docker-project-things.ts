import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { PinnedProject, PinnedService } from '../task/project.ts';
import { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { ensureInternalNetwork } from './docker-internal-network.ts';
import type { DockerNames } from './docker-names.ts';
import type { ProjectNames, ServiceContainer } from './docker-project-names.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;

/** What the containers of a project need to be there before them: networks and volumes. */
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
