import type { PinnedTask } from '../task/task.ts';
import type { BlankVolume } from './docker-blank-volume.ts';
import type { DockerAnswer, DockerCalls } from './docker-call.ts';
import { containerOptions, type ContainerOptions, outputQuota } from './docker-container-options.ts';
import { isHeldTo } from './docker-disk-use.ts';
import { DockerStatusError } from './docker-errors.ts';
import type { DockerImages } from './docker-images.ts';
import { type InspectedContainer, parseContainer, parseCreated, runOf } from './docker-inspect.ts';
import type { JobNetworks } from './docker-job-network.ts';
import { type JobNames, secretsPlaceOf } from './docker-names.ts';
import { containerDifferences, seriousWarnings } from './docker-verify-container.ts';
import type { EngineConfig } from './engine-config.ts';
import { type CreateOptions, EngineRefused } from './engine.ts';

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
  async create(jobId: string, task: PinnedTask, names: JobNames, imageId: string, given: CreateOptions): Promise<void> {
    const { blank, config, gateway, images, networks } = this.#parts;
    let ours = false;
    try {
      const profile = task.relaxed?.network;
      const network = profile === undefined ? undefined : await networks.prepare(jobId, names, profile);
      const options = containerOptions(names, gateway, jobId, task, imageId, config, network, given.secrets ? secretsPlaceOf(gateway, jobId) : undefined);
      // At once, for neither waits for the other: an empty volume is prepared whoever has made it.
      const [prepared, created] = await Promise.allSettled([
        blank.prepare(jobId, names, outputQuota(config)),
        this.#make(jobId, names, options, given),
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

  /** The engine's answer. One that is there already, half-made and never started, goes, and is made anew where it may be. */
  async #make(jobId: string, names: JobNames, options: ContainerOptions, { mayAct, mayMakeAnew }: CreateOptions): Promise<DockerAnswer> {
    const { calls, config } = this.#parts;
    const make = (): Promise<DockerAnswer> => calls.ask('POST', '/containers/create', { query: { name: names.container }, body: options, accept: [NOT_FOUND, CONFLICT] });
    const answer = await make();
    const there = answer.status === CONFLICT ? await this.#found(names) : undefined;
    if (there === undefined || containerDifferences(options, there, config.hostHasNoSwap).length === 0) return answer;
    if (runOf(jobId, there).state !== 'created' || (await mayMakeAnew?.()) !== true) return answer;
    await mayAct?.();
    // without force the engine keeps what runs by now
    await calls.ask('DELETE', `/containers/${there.Id}`, { query: { v: true }, accept: [NOT_FOUND, CONFLICT] });
    return make();
  }

  async #found(names: JobNames): Promise<InspectedContainer | undefined> {
    const { body } = await this.#parts.calls.ask('GET', `/containers/${names.container}/json`, { accept: [NOT_FOUND] });
    return body === undefined ? undefined : parseContainer(body);
  }

  /** `warnings`: of the creation; undefined = it was there before. */
  async #mustBeAsAsked(names: JobNames, options: ContainerOptions, warnings: readonly string[] | undefined): Promise<void> {
    const { calls, config } = this.#parts;
    const noSwap = config.hostHasNoSwap;
    const serious = seriousWarnings(warnings ?? [], noSwap);
    if (serious.length > 0) throw new EngineRefused(`the engine cannot hold the container to what was asked: ${serious.join('; ')}`);
    const made = await this.#found(names);
    if (made === undefined) throw new EngineRefused('the container was gone as soon as it was created', { temporary: true });
    const differences = containerDifferences(options, made, noSwap);
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
    if ((await this.#found(names)) === undefined) await networks.remove(names);
  }
}
