import type { PinnedProject, PinnedRestart, PinnedSecret, PinnedService } from '../task/project.ts';
import { isJobId, labelsOf, LABELS, type DockerNames, type Role } from './docker-names.ts';
import { EngineRefused } from './engine.ts';

/** Labels of a service's containers beside those of every job. */
export const SERVICE_LABELS = { service: 'pratique.service', plan: 'pratique.plan' } as const;

/**
 * What has to be known of a container once the gateway that made it has forgotten everything: it stands in a label, so that a project
 * can be brought up, ended and collected from the engine's own memory.
 */
export interface ContainerPlan {
  readonly service: string;
  /** From 1. */
  readonly replica: number;
  /** Containers of the job: fewer of them = one is lost. */
  readonly of: number;
  /** Place among them, from 0. */
  readonly index: number;
  /** Whether its end is the job's. */
  readonly main: boolean;
  /** Longest way to a service that needs nothing. Stopped from the highest to the lowest. */
  readonly level: number;
  readonly needs: readonly { readonly service: string; readonly condition: string; readonly optional?: true }[];
  /** Absent = it runs once. */
  readonly restart?: PinnedRestart;
  /** Seconds between its signal to stop and the end by force; absent = what the site gives. */
  readonly grace?: number;
  /** Files that it has in memory, without which it is never started. Absent = none. */
  readonly secrets?: readonly Omit<PinnedSecret, 'content'>[];
  /** What its files below /output are put under: '' or `web/`; absent = another container has the same ones. */
  readonly output?: string;
}

/** One container to be made. */
export interface ServiceContainer {
  readonly names: DockerNames;
  readonly plan: ContainerPlan;
  readonly service: PinnedService;
  /** Folders of its own that outlive it no longer than the job: target and volume. */
  readonly anonymous: ReadonlyMap<string, string>;
}

/** The gateway's name on things of projects: never that of things of single containers, so that neither is taken for the other. */
export function projectGateway(gateway: string): string {
  return `${gateway}.p`;
}

/** What everything of one project is called on the engine, derived from gateway, job id and the judged project alone. */
export class ProjectNames {
  readonly gateway: string;
  readonly #jobId: string;
  readonly #base: string;

  /** Throws EngineRefused for an id no name can hold. */
  constructor(gateway: string, jobId: string) {
    if (!isJobId(jobId)) throw new EngineRefused('the job id cannot name a container');
    this.gateway = projectGateway(gateway);
    this.#jobId = jobId;
    this.#base = `pratique-${this.gateway}.${jobId}`;
  }

  labels(role: Role): Record<string, string> {
    return labelsOf(this.gateway, this.#jobId, role);
  }

  /** A filter for everything of this job. */
  get filters(): { readonly label: readonly string[] } {
    return { label: [`${LABELS.gateway}=${this.gateway}`, `${LABELS.job}=${this.#jobId}`] };
  }

  /** What the names of everything of this job begin with, and of no other's. */
  get prefix(): string {
    return `${this.#base}.`;
  }

  network(index: number): string {
    return `${this.#base}.net-${String(index)}`;
  }

  /** A volume, and the container that prepares it. */
  volume(index: number): DockerNames {
    return this.#volume(`${this.#base}.vol-${String(index)}`);
  }

  /** The container in which the image of a service with files is made. */
  files(index: number): string {
    return `${this.#base}.files-${String(index)}`;
  }

  /** The container through which the gateway reaches a service's. */
  relay(index: number): string {
    return `${this.#base}.relay-${String(index)}`;
  }

  /** What brings a container its secrets; `index`: of its plan. */
  secrets(index: number): { readonly secrets: string; readonly labels: Record<string, string> } {
    return { secrets: `${this.#base}.secrets-${String(index)}`, labels: this.labels('secrets') };
  }

  /** Every container of the project, in the order in which services come. */
  containers(project: PinnedProject): readonly ServiceContainer[] {
    const levels = levelsOf(project);
    const outputs = outputsOf(project);
    const of = project.services.reduce((sum, { replicas }) => sum + replicas, 0);
    let index = 0;
    return project.services.flatMap((service, i) =>
      Array.from({ length: service.replicas }, (_, r): ServiceContainer => {
        const container = `${this.#base}.${String(i)}-${String(r + 1)}`;
        const output = outputs(service, r);
        const plan: ContainerPlan = {
          service: service.name,
          replica: r + 1,
          of,
          index: index++,
          main: project.main.includes(service.name),
          level: levels.get(service.name) ?? 0,
          needs: service.dependsOn,
          ...(service.restart === undefined ? {} : { restart: service.restart }),
          ...(service.stopGrace === undefined ? {} : { grace: Math.ceil(service.stopGrace / 1000) }),
          ...(service.secrets === undefined ? {} : { secrets: service.secrets.map(({ name, file, uid, gid, mode }) => ({ name, file, uid, gid, mode })) }),
          ...(output === undefined ? {} : { output }),
        };
        const targets = service.mounts.flatMap((mount) => (mount.kind === 'anonymous' ? [mount.target] : []));
        const anonymous = new Map(targets.map((target, a) => [target, `${container}.anon-${String(a)}`]));
        return { names: { container, blank: `${container}.blank`, output: `${container}.output` }, plan, service, anonymous };
      }),
    );
  }

  /** A volume by its whole name, and the container that prepares it. */
  #volume(name: string): DockerNames {
    return { container: name, blank: `${name}.blank`, output: name };
  }
}

function levelsOf(project: PinnedProject): ReadonlyMap<string, number> {
  const levels = new Map<string, number>();
  // each service comes after those that it depends on
  for (const { name, dependsOn } of project.services) levels.set(name, Math.max(0, ...dependsOn.map(({ service }) => (levels.get(service) ?? 0) + 1)));
  return levels;
}

/** The job's own volume that a service has at /output, if any. */
function outputVolume(service: PinnedService): string | undefined {
  return service.mounts.flatMap((mount) => (mount.kind === 'volume' && mount.target === '/output' ? [mount.volume] : []))[0];
}

/**
 * Where the files of each container's /output go: those of the only container, and of a volume that services share there, to the top;
 * others below the name of their service.
 */
function outputsOf(project: PinnedProject): (service: PinnedService, replica: number) => string | undefined {
  const containers = project.services.reduce((sum, { replicas }) => sum + replicas, 0);
  const shared = [...new Set(project.services.map(outputVolume).filter((name) => name !== undefined))];
  const told = new Set<string>();
  return (service, replica) => {
    const volume = outputVolume(service);
    if (volume !== undefined) {
      if (told.has(volume)) return undefined;
      told.add(volume);
      return shared.length === 1 ? '' : `${volume}/`;
    }
    if (containers === 1) return '';
    return `${service.name}${service.replicas > 1 ? `-${String(replica + 1)}` : ''}/`;
  };
}
