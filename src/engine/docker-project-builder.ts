import type { PinnedProject } from '../task/project.ts';
import type { DockerCalls } from './docker-call.ts';
import type { DockerImages } from './docker-images.ts';
import { type InspectedContainer, parseContainer, parseCreated, runOf } from './docker-inspect.ts';
import { ProjectNames, projectGateway, type ServiceContainer } from './docker-project-names.ts';
import { endpointsOf, serviceOptions, type ServiceOptions } from './docker-project-options.ts';
import { ProjectFiles, type ServiceFiles } from './docker-project-files.ts';
import { ProjectThings } from './docker-project-things.ts';
import { optionDifferences, seriousWarnings } from './docker-verify-container.ts';
import type { EngineConfig } from './engine-config.ts';
import { type ActOptions, EngineRefused, type MakeOptions } from './engine.ts';

const FORBIDDEN = 403;
const NOT_FOUND = 404;
const CONFLICT = 409;

/** On which terms containers are made: `mayAct` is asked always. */
type ServiceMaking = MakeOptions & Required<ActOptions>;

/** One container, and what it is made of. */
interface ContainerPlace {
  readonly jobId: string;
  readonly project: PinnedProject;
  readonly container: ServiceContainer;
  readonly files: ServiceFiles;
}

/** Makes the containers of a project, nothing started, and compares each with what was asked for. */
export class ProjectBuilder {
  readonly #calls: DockerCalls;
  readonly #images: DockerImages;
  readonly #gateway: string;
  readonly #config: EngineConfig;
  readonly #things: ProjectThings;
  readonly #files: ProjectFiles;

  constructor(calls: DockerCalls, images: DockerImages, gateway: string, config: EngineConfig) {
    this.#calls = calls;
    this.#images = images;
    this.#gateway = gateway;
    this.#config = config;
    this.#things = new ProjectThings(calls, projectGateway(gateway));
    this.#files = new ProjectFiles(calls);
  }

  /** The engine's ids of the images as judged, by service. Throws EngineRefused. */
  async verifiedImages(project: PinnedProject, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const ids = await Promise.all(project.services.map(async ({ name, task }) => [name, await this.#images.verifiedId(task.image, signal)] as const));
    return new Map(ids);
  }

  /** Networks, volumes, images with files, containers; what an earlier try has made is found and used. Throws EngineRefused, and what `mayAct` does. */
  async build(jobId: string, project: PinnedProject, imageIds: ReadonlyMap<string, string>, how: ServiceMaking): Promise<void> {
    const { mayAct } = how;
    const names = new ProjectNames(this.#gateway, jobId);
    const containers = names.containers(project);
    await mayAct();
    await this.#things.prepare(jobId, project, containers, names);
    for (const container of containers) {
      const { service } = container;
      const imageId = imageIds.get(service.name);
      if (imageId === undefined) throw new EngineRefused('an image of the project was not verified');
      const index = project.services.findIndex(({ name }) => name === service.name);
      await this.#container({ jobId, project, container, files: { imageId, service, index, names } }, how);
    }
  }

  async #container(place: ContainerPlace, how: ServiceMaking): Promise<void> {
    const { container, files, jobId, project } = place;
    const { names } = files;
    await how.mayAct();
    const options = serviceOptions(container, project, names, await this.#files.imageWith(files), this.#config, jobId);
    await how.mayAct();
    const own = mountsOf(options).some(({ Source }) => Source === container.names.output);
    const tidy = own ? await this.#things.prepareOutput(jobId, container.names) : undefined;
    const { status, body } = await this.#calls.ask('POST', '/containers/create', { query: { name: container.names.container }, body: options, accept: [NOT_FOUND, CONFLICT] });
    await tidy?.();
    if (status === NOT_FOUND) {
      this.#images.forget(container.service.task.image);
      throw new EngineRefused('an image of the project is no longer present', { temporary: true });
    }
    const [, ...others] = endpointsOf(container.service, project, names);
    for (const { network, endpoint } of others) {
      // 403: it is in it already
      await this.#calls.ask('POST', `/networks/${network}/connect`, { body: { Container: container.names.container, EndpointConfig: endpoint }, accept: [FORBIDDEN] });
    }
    const warnings = status === CONFLICT ? [] : parseCreated(body).Warnings;
    const networks = endpointsOf(container.service, project, names).map(({ network }) => network);
    const { made, differences } = await this.#compared(container, options, networks, warnings);
    if (differences.length === 0 && isUnstarted(jobId, made)) await this.#mustShow(made.Id, files.service, options);
    const lacksFiles = differences.length === 0 && isUnstarted(jobId, made) && !(await this.#files.areIn(made.Id, files.service.files));
    if (differences.length === 0 && !lacksFiles) return;
    // What an engine that was killed has kept of an earlier try says nothing of the job; nor does an image that it made while it went down.
    const temporary = status === CONFLICT || lacksFiles;
    if (temporary && (await this.#discarded(jobId, made, how))) {
      if (lacksFiles) await this.#files.forget(files);
      return this.#container(place, { mayAct: how.mayAct });
    }
    const wanting = lacksFiles ? 'the files' : differences.join(', ');
    throw new EngineRefused(`the engine's container for service ${container.service.name} is not the one that was asked for: ${wanting}`, { temporary });
  }

  /** Throws EngineRefused where the service would not see one of its files. */
  async #mustShow(container: string, { files, name }: ServiceFiles['service'], options: ServiceOptions): Promise<void> {
    const folders = [...Object.keys(options.HostConfig['Tmpfs'] as object), ...mountsOf(options).map(({ Target }) => Target)];
    const hidden = await this.#files.hidden(container, files, folders);
    if (hidden === undefined) return;
    throw new EngineRefused(`a config or secret of service ${name} would be hidden at ${hidden.path}: by a symbolic link of its image that is below ${hidden.folder}, where the container has a folder of its own; give a target outside of it`);
  }

  /** Removes a container that was never started, and no other; false where it stays. */
  async #discarded(jobId: string, made: InspectedContainer, { mayAct, mayMakeAnew }: ServiceMaking): Promise<boolean> {
    if (!isUnstarted(jobId, made) || (await mayMakeAnew?.()) !== true) return false;
    await mayAct();
    // without force the engine keeps what runs by now
    const { status } = await this.#calls.ask('DELETE', `/containers/${made.Id}`, { query: { v: true }, accept: [NOT_FOUND, CONFLICT] });
    return status !== CONFLICT;
  }

  /** The container, and what of it is not as asked for. `warnings`: of its creation. */
  async #compared({ names, service }: ServiceContainer, options: ServiceOptions, networks: readonly string[], warnings: readonly string[]): Promise<{ readonly made: InspectedContainer; readonly differences: readonly string[] }> {
    const noSwap = this.#config.hostHasNoSwap;
    const serious = seriousWarnings(warnings, noSwap).filter((warning) => !/Localhost DNS/i.test(warning));
    if (serious.length > 0) throw new EngineRefused(`the engine cannot hold service ${service.name} to what was asked: ${serious.join('; ')}`);
    const { body } = await this.#calls.ask('GET', `/containers/${names.container}/json`, { accept: [NOT_FOUND] });
    if (body === undefined) throw new EngineRefused('a container was gone as soon as it was created', { temporary: true });
    const made = parseContainer(body);
    const { NetworkingConfig, ...compared } = options;
    const expected = networks.length === 0 ? ['none'] : networks;
    const differences = [
      ...optionDifferences(compared, made, noSwap),
      ...(sameMounts(mountsOf(options), made) ? [] : ['Mounts']),
      ...(sameNames(expected, made.NetworkSettings?.Networks ?? []) ? [] : ['NetworkSettings.Networks']),
      ...(sameHealth(options, made) ? [] : ['Config.Healthcheck']),
      ...(Object.keys(NetworkingConfig.EndpointsConfig).every((name) => networks.includes(name)) ? [] : ['NetworkingConfig']),
    ];
    return { made, differences };
  }
}

function isUnstarted(jobId: string, made: InspectedContainer): boolean {
  return runOf(jobId, made).state === 'created';
}

interface AskedMount {
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
}

function mountsOf(options: ServiceOptions): readonly AskedMount[] {
  return options.HostConfig['Mounts'] as readonly AskedMount[];
}

/** Every mount that was asked for, as it was, and no other. */
function sameMounts(asked: readonly AskedMount[], made: InspectedContainer): boolean {
  return (
    asked.length === made.Mounts.length &&
    asked.every(({ Source, Target, ReadOnly }) =>
      made.Mounts.some((mount) => mount['Type'] === 'volume' && mount['Name'] === Source && mount['Destination'] === Target && mount['Driver'] === 'local' && mount['RW'] === (ReadOnly !== true)),
    )
  );
}

function sameNames(asked: readonly string[], made: readonly string[]): boolean {
  return asked.length === made.length && asked.every((name) => made.includes(name));
}

/** How often it runs: the test itself is compared with the rest. */
function sameHealth({ Healthcheck: asked }: ServiceOptions, made: InspectedContainer): boolean {
  const found = made.Config['Healthcheck'] as Readonly<Record<string, unknown>> | null | undefined;
  return (['Interval', 'Timeout', 'StartPeriod', 'Retries'] as const).every((key) => asked[key] === undefined || (found?.[key] ?? 0) === asked[key]);
}
