import { z } from 'zod';
import { DockerStatusError, refusal } from './docker-errors.ts';
import type { DockerCalls } from './docker-call.ts';
import { parse, parseContainer, runOf, type InspectedContainer } from './docker-inspect.ts';
import { LABELS } from './docker-names.ts';
import { type ContainerPlan, type ProjectNames, SERVICE_LABELS } from './docker-project-names.ts';
import { canRestart, type ServiceRun } from './docker-project-state.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;
const FORBIDDEN = 403;
/** Looks at what is left of a job at most: the engine removes some things only after others. */
const MOST_ROUNDS = 4;

const labels = z.record(z.string(), z.string()).nullish().transform((value) => value ?? {});
const listed = z.array(z.object({ Id: z.string(), Labels: labels }));
const volumes = z.object({ Volumes: z.array(z.object({ Name: z.string(), Labels: labels })).nullish() });
const planSchema: z.ZodType<ContainerPlan> = z.object({
  service: z.string(),
  replica: z.number(),
  of: z.number(),
  index: z.number(),
  main: z.boolean(),
  level: z.number(),
  needs: z.array(z.object({ service: z.string(), condition: z.string() })),
  restart: z.object({ always: z.boolean(), most: z.number() }).optional(),
  grace: z.number().optional(),
  secrets: z.array(z.object({ name: z.string(), file: z.string(), uid: z.number(), gid: z.number(), mode: z.number() })).optional(),
  output: z.string().optional(),
}) as z.ZodType<ContainerPlan>;

/** Everything of the engine's that has these labels. */
interface Things {
  readonly containers: z.output<typeof listed>;
  readonly images: z.output<typeof listed>;
  readonly networks: z.output<typeof listed>;
  readonly volumes: readonly { readonly Name: string; readonly Labels: Readonly<Record<string, string>> }[];
}

/** Finds and removes what belongs to projects, by label alone. */
export class ProjectRuns {
  readonly #calls: DockerCalls;

  constructor(calls: DockerCalls) {
    this.#calls = calls;
  }

  /** The containers of a job's services, in their order; none where there are none. Throws EngineRefused where one of them is lost. */
  async of(jobId: string, names: ProjectNames, signal?: AbortSignal): Promise<readonly ServiceRun[]> {
    const { runs, lost } = await this.found(jobId, names, signal);
    if (lost) throw new EngineRefused('a container of this job is gone');
    return runs;
  }

  /** As `of`; `lost`: there are fewer than were to be made. */
  async found(jobId: string, names: ProjectNames, signal?: AbortSignal): Promise<{ readonly runs: readonly ServiceRun[]; readonly lost: boolean }> {
    const filters = { label: [...names.filters.label, `${LABELS.role}=service`] };
    const { body } = await this.#calls.ask('GET', '/containers/json', { query: { all: true, filters }, signal });
    const found = await Promise.all(parse(listed, body).map(({ Id }) => this.container(Id, signal)));
    const runs = found.flatMap((container) => (container === undefined ? [] : [runOfService(jobId, container)]));
    runs.sort((a, b) => a.plan.index - b.plan.index);
    return { runs, lost: runs.length < (runs[0]?.plan.of ?? 0) };
  }

  /** Sees to it that containers which have not been started, or would be once more, never are. */
  async hold(runs: readonly ServiceRun[]): Promise<void> {
    const due = runs.filter((one) => !one.held && (one.run.state === 'created' || canRestart(one)));
    await Promise.all(due.map(({ container }) => this.#rename(container, (name) => (name.endsWith(HELD) ? name : name + HELD))));
  }

  /** Whether a container is as it was seen: neither started since, nor held. */
  async isAsSeen({ container, run }: ServiceRun): Promise<boolean> {
    const found = await this.container(container);
    if (found === undefined || found.Name.endsWith(HELD)) return false;
    const now = runOf(run.jobId, found);
    return now.state === run.state && now.startedAt === run.startedAt;
  }

  /** Remembers that a container was started once more. */
  async countRestart({ container, restarts }: ServiceRun): Promise<void> {
    await this.#rename(container, (name) => `${name.replace(MARKS, '')}${AGAIN}${String(restarts + 1)}`);
  }

  async #rename(container: string, change: (name: string) => string): Promise<void> {
    const { Name } = (await this.container(container)) ?? {};
    if (Name === undefined) return;
    const name = Name.replace(/^\//, '');
    const changed = change(name);
    if (changed !== name) await this.#calls.ask('POST', `/containers/${container}/rename`, { query: { name: changed }, accept: [NOT_FOUND, CONFLICT] });
  }

  async container(name: string, signal?: AbortSignal): Promise<InspectedContainer | undefined> {
    const { body } = await this.#calls.ask('GET', `/containers/${name}/json`, { accept: [NOT_FOUND], signal });
    return body === undefined ? undefined : parseContainer(body);
  }

  /** The ids of all jobs of which anything is there. */
  async jobs(gateway: string, signal?: AbortSignal): Promise<readonly string[]> {
    const things = await this.#things({ label: [`${LABELS.gateway}=${gateway}`] }, signal);
    const labelled = [...things.containers, ...things.images, ...things.networks, ...things.volumes];
    return [...new Set(labelled.flatMap(({ Labels }) => Labels[LABELS.job] ?? []))];
  }

  /** Resolves when nothing of the job is left. Throws EngineRefused where the engine keeps something. */
  async remove(names: ProjectNames): Promise<void> {
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      const { containers, images, networks, volumes: left } = await this.#things(names.filters);
      if (containers.length + images.length + networks.length + left.length === 0) return;
      await Promise.all(containers.map(({ Id }) => this.#removeContainer(Id)));
      await Promise.all([
        ...images.map(({ Id }) => this.#calls.ask('DELETE', `/images/${Id}`, { query: { force: true }, accept: [NOT_FOUND, CONFLICT] })),
        ...networks.map(({ Id }) => this.#calls.ask('DELETE', `/networks/${Id}`, { accept: [NOT_FOUND, CONFLICT, FORBIDDEN] })),
        ...left.map(({ Name }) => this.#calls.ask('DELETE', `/volumes/${Name}`, { accept: [NOT_FOUND, CONFLICT] })),
      ]);
    }
    throw new EngineRefused('the engine does not remove what is left of the job', { temporary: true });
  }

  async #removeContainer(id: string): Promise<void> {
    const { status } = await this.#calls.ask('DELETE', `/containers/${id}`, { query: { force: true, v: true }, accept: [NOT_FOUND, CONFLICT] });
    // Somebody else is removing it at this moment.
    if (status === CONFLICT) await this.#calls.ask('POST', `/containers/${id}/wait`, { query: { condition: 'removed' }, accept: [NOT_FOUND] });
  }

  async #things(filters: { readonly label: readonly string[] }, signal?: AbortSignal): Promise<Things> {
    const [containers, images, networks, found] = await Promise.all([
      this.#calls.ask('GET', '/containers/json', { query: { all: true, filters }, signal }),
      this.#calls.ask('GET', '/images/json', { query: { filters }, signal }),
      this.#calls.ask('GET', '/networks', { query: { filters }, signal }),
      this.#calls.ask('GET', '/volumes', { query: { filters }, signal }),
    ]);
    return { containers: parse(listed, containers.body), images: parse(listed, images.body), networks: parse(listed, networks.body), volumes: parse(volumes, found.body).Volumes ?? [] };
  }
}

/** What the name of a container ends in that is not to be started any more: a name can be changed, a label cannot. */
const HELD = '.held';
/** Before how often it was started once more. */
const AGAIN = '.again-';
const MARKS = /(?:\.again-(\d+))?(?:\.held)?$/;

function runOfService(jobId: string, container: InspectedContainer): ServiceRun {
  const found = parse(labels, (container.Config as { Labels?: unknown }).Labels);
  const health = container.State.Health?.Status;
  return {
    container: container.Id,
    plan: parse(planSchema, JSON.parse(found[SERVICE_LABELS.plan] ?? '{}')),
    user: String(container.Config['User']),
    run: runOf(jobId, container),
    held: container.Name.endsWith(HELD),
    restarts: Number(MARKS.exec(container.Name)?.[1] ?? 0),
    ...(health === undefined || health === 'none' ? {} : { health }),
  };
}

/** Runs `work`; the engine's no becomes EngineRefused. */
export async function translatedCalls<T>(asked: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DockerStatusError) throw refusal(asked, error);
    throw error;
  }
}
