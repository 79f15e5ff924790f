import type { PinnedTask } from '../task/task.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerCalls } from './docker-call.ts';
import { containerOptions, type ContainerOptions, outputQuota } from './docker-container-options.ts';
import { isHeldTo } from './docker-disk-use.ts';
import { DockerStatusError } from './docker-errors.ts';
import type { DockerImages } from './docker-images.ts';
import { parseContainer, parseCreated } from './docker-inspect.ts';
import type { JobNetworks } from './docker-job-network.ts';
import { type JobNames, secretsPlaceOf } from './docker-names.ts';
import { containerDifferences, seriousWarnings } from './docker-verify-container.ts';
import type { EngineConfig } from './engine-config.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

export interface CreationParts {
  readonly calls: DockerCalls;
  readonly blank: BlankVolume;
  readonly images: DockerImages;
  readonly networks: JobNetworks;
  readonly config: EngineConfig;
  readonly gateway: string;
  /** Removes everything of a job. */
  readonly remove: (jobId: string) => Promise<void>;
}

/** Makes the container of a job with what it needs beside it, and proves that the engine has made what was asked for. */
export class ContainerCreation {
  readonly #parts: CreationParts;

  constructor(parts: CreationParts) {
    this.#parts = parts;
  }

  /** Done already = done. `imageId`: the engine's id of the verified image. Throws EngineRefused; then nothing is left. */
  async create(jobId: string, task: PinnedTask, names: JobNames, imageId: string, secrets: boolean): Promise<void> {
    const { blank, calls, config, gateway, images, networks } = this.#parts;
    let ours = false;
    try {
      const profile = task.relaxed?.network;
      const network = profile === undefined ? undefined : await networks.prepare(jobId, names, profile);
      const options = containerOptions(names, gateway, jobId, task, imageId, config, network, secrets ? secretsPlaceOf(gateway, jobId) : undefined);
      // At once, for neither waits for the other: an empty volume is prepared whoever has made it.
      const [prepared, created] = await Promise.allSettled([
        blank.prepare(jobId, names, outputQuota(config)),
        calls.ask('POST', '/containers/create', { query: { name: names.container }, body: options, accept: [NOT_FOUND, CONFLICT] }),
      ]);
      if (created.status === 'rejected') throw created.reason;
      const { status, body } = created.value;
      ours = status !== NOT_FOUND && status !== CONFLICT;
      if (prepared.status === 'rejected') throw prepared.reason;
      if (status === NOT_FOUND) {
        images.forget(task.image);
        throw new EngineRefused('the image is no longer present', { temporary: true });
      }
      await this.#mustBeAsAsked(names, options, ours ? parseCreated(body).Warnings : undefined);
    } catch (error) {
      // After an outage nothing can be undone, and the container may be good; `remove` finds whatever there is.
      if (error instanceof EngineRefused || error instanceof DockerStatusError) await this.#undo(jobId, names, ours).catch(() => undefined);
      throw error;
    }
  }

  /** `warnings`: of the creation; undefined = it was there before. */
  async #mustBeAsAsked(names: JobNames, options: ContainerOptions, warnings: readonly string[] | undefined): Promise<void> {
    const { calls, config } = this.#parts;
    const noSwap = config.hostHasNoSwap;
    const serious = seriousWarnings(warnings ?? [], noSwap);
    if (serious.length > 0) throw new EngineRefused(`the engine cannot hold the container to what was asked: ${serious.join('; ')}`);
    const { body } = await calls.ask('GET', `/containers/${names.container}/json`, { accept: [NOT_FOUND] });
    if (body === undefined) throw new EngineRefused('the container was gone as soon as it was created', { temporary: true });
    const differences = containerDifferences(options, parseContainer(body), noSwap);
    if (config.outputQuota && !(await isHeldTo(config.outputBytes, calls, names.output))) differences.push('Volume.Options.size');
    // one that was there before may be what an engine that was killed has kept of it: that says nothing of the job, which may be tried again under another id
    const temporary = warnings === undefined;
    if (differences.length > 0) throw new EngineRefused(`the engine's container is not the one that was asked for: ${differences.join(', ')}`, { temporary });
  }

  /** Removes what this creation made. A container that was there before keeps itself and, being in use, its volume and network. */
  async #undo(jobId: string, names: JobNames, ours: boolean): Promise<void> {
    const { blank, calls, networks, remove } = this.#parts;
    if (ours) return remove(jobId);
    await blank.tidy(names);
    await calls.ask('DELETE', `/volumes/${names.output}`, { accept: [NOT_FOUND, CONFLICT] });
    const { body } = await calls.ask('GET', `/containers/${names.container}/json`, { accept: [NOT_FOUND] });
    if (body === undefined) await networks.remove(names);
  }
}
