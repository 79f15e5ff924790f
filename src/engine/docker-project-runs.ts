import { z } from 'zod';
import { DockerStatusError, refusal } from './docker-errors.ts';
import type { DockerCalls } from './docker-call.ts';
import { parse, parseContainer, runOf, type InspectedContainer } from './docker-inspect.ts';
import { LABELS, namePrefix } from './docker-names.ts';
import { remembersNaming } from './docker-events.ts';
import { marksOf, ProjectMarks, startMark } from './docker-project-marks.ts';
import { type ContainerPlan, type ProjectNames, SERVICE_LABELS } from './docker-project-names.ts';
import { ProjectStarts } from './docker-project-starts.ts';
import { canRestart, NOT_KNOWN, mayHaveStarted, type ServiceRun } from './docker-project-state.ts';
import { EngineRefused } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;
const FORBIDDEN = 403;
/** Looks at what is left of a job at most: the engine removes some things only after others. */
const MOST_ROUNDS = 4;

const labels = z.record(z.string(), z.string()).nullish().transform((value) => value ?? {});
const listed = z.array(z.object({ Id: z.string(), Labels: labels }));
const volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullish() });
const planSchema: z.ZodType<ContainerPlan> = z.object({
  service: z.string(),
  replica: z.number(),
  of: z.number(),
  index: z.number(),
  main: z.boolean(),
  level: z.number(),
  needs: z.array(z.object({ service: z.string(), condition: z.string(), optional: z.literal(true).optional() })),
  restart: z.object({ always: z.boolean(), most: z.number() }).optional(),
  grace: z.number().optional(),
  secrets: z.array(z.object({ name: z.string(), file: z.string(), uid: z.number(), gid: z.number(), mode: z.number() })).optional(),
  output: z.string().optional(),
}) as z.ZodType<ContainerPlan>;

/** Everything of the engine's that has these labels, and names of volumes. */
interface Things {
  readonly containers: z.output<typeof listed>;
  readonly images: z.output<typeof listed>;
  readonly networks: z.output<typeof listed>;
  readonly volumes: readonly string[];
}

/** Finds and removes what belongs to projects: by label, and volumes by name. */
export class ProjectRuns {
  readonly #calls: DockerCalls;
  readonly #marks: ProjectMarks;
  readonly starts: ProjectStarts;

  constructor(calls: DockerCalls) {
    this.#calls = calls;
    this.#marks = new ProjectMarks(calls);
    this.starts = new ProjectStarts(this.#marks);
  }

  /** The containers of a job's services, in their order; none where there are none. Throws EngineRefused where one of them is lost. */
  async of(jobId: string, names: ProjectNames, signal?: AbortSignal): Promise<readonly ServiceRun[]> {
    const { runs, lost } = await this.found(jobId, names, signal);
    if (lost) throw new EngineRefused('a container of this job is gone, or the engine no longer knows whether it ran');
    return runs;
  }

  /** As `of`; `lost`: there are fewer than were to be made, or the engine has forgotten whether it started one. */
  async found(jobId: string, names: ProjectNames, signal?: AbortSignal): Promise<{ readonly runs: readonly ServiceRun[]; readonly lost: boolean }> {
    const filters = { label: [...names.filters.label, `${LABELS.role}=service`] };
    const { body } = await this.#calls.ask('GET', '/containers/json', { query: { all: true, filters }, signal });
    const found = await Promise.all(parse(listed, body).map(({ Id }) => this.#run(jobId, Id, signal)));
    const runs = found.filter((run) => run !== undefined);
    runs.sort((a, b) => a.plan.index - b.plan.index);
    if (runs.length < (runs[0]?.plan.of ?? 0)) return { runs, lost: true };
    const remembered = await Promise.all(runs.filter((one) => mayHaveStarted(one, runs)).map(({ container }) => remembersNaming(this.#calls, container)));
    return { runs, lost: !remembered.every((yes) => yes) };
  }

  async #run(jobId: string, container: string, signal?: AbortSignal): Promise<ServiceRun | undefined> {
    // from before the look or after: a start may begin or end meanwhile
    const before = this.starts.underWay(container);
    const inspected = await this.container(container, signal);
    return inspected && runOfService(jobId, inspected, before ?? this.starts.underWay(container), this.starts);
  }

  /** Sees to it that containers which have not been started, or would be once more, never are. */
  async hold(runs: readonly ServiceRun[]): Promise<void> {
    const due = runs.filter((one) => !one.held && (one.run.state === 'created' || canRestart(one)));
    await Promise.all(due.map(({ container }) => this.#marks.set(container, { held: true })));
  }

  async container(name: string, signal?: AbortSignal): Promise<InspectedContainer | undefined> {
    const { body } = await this.#calls.ask('GET', `/containers/${name}/json`, { accept: [NOT_FOUND], signal });
    return body === undefined ? undefined : parseContainer(body);
  }

  /** The ids of all jobs of which anything is there. */
  async jobs(gateway: string, signal?: AbortSignal): Promise<readonly string[]> {
    const prefix = namePrefix(gateway);
    const things = await this.#things({ label: [`${LABELS.gateway}=${gateway}`] }, prefix, signal);
    const labelled = [...things.containers, ...things.images, ...things.networks].flatMap(({ Labels }) => Labels[LABELS.job] ?? []);
    // no job id has a dot
    return [...new Set([...labelled, ...things.volumes.map((name) => name.slice(prefix.length).split('.', 1)[0] ?? '')])];
  }

  /** Resolves when nothing of the job is left. Throws EngineRefused where the engine keeps something. */
  async remove(names: ProjectNames): Promise<void> {
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      const { containers, images, networks, volumes: left } = await this.#things(names.filters, names.prefix);
      if (containers.length + images.length + networks.length + left.length === 0) return;
      await Promise.all(containers.map(({ Id }) => this.#removeContainer(Id)));
      await Promise.all([
        ...images.map(({ Id }) => this.#calls.ask('DELETE', `/images/${Id}`, { query: { force: true }, accept: [NOT_FOUND, CONFLICT] })),
        ...networks.map(({ Id }) => this.#calls.ask('DELETE', `/networks/${Id}`, { accept: [NOT_FOUND, CONFLICT, FORBIDDEN] })),
        ...left.map((name) => this.#calls.ask('DELETE', `/volumes/${name}`, { accept: [NOT_FOUND, CONFLICT] })),
      ]);
    }
    throw new EngineRefused('the engine does not remove what is left of the job', { temporary: true });
  }

  async #removeContainer(id: string): Promise<void> {
    const { status } = await this.#calls.ask('DELETE', `/containers/${id}`, { query: { force: true, v: true }, accept: [NOT_FOUND, CONFLICT] });
    // Somebody else is removing it at this moment.
    if (status === CONFLICT) await this.#calls.ask('POST', `/containers/${id}/wait`, { query: { condition: 'removed' }, accept: [NOT_FOUND] });
    this.starts.forget(id);
  }

  /** `prefix`: what the names of the volumes begin with, for an engine that was killed while it made one has it without its labels. */
  async #things(filters: { readonly label: readonly string[] }, prefix: string, signal?: AbortSignal): Promise<Things> {
    const [containers, images, networks, found] = await Promise.all([
      this.#calls.ask('GET', '/containers/json', { query: { all: true, filters }, signal }),
      this.#calls.ask('GET', '/images/json', { query: { filters }, signal }),
      this.#calls.ask('GET', '/networks', { query: { filters }, signal }),
      this.#calls.ask('GET', '/volumes', { query: { filters: { name: [prefix] } }, signal }),
    ]);
    // the engine takes the name for a pattern, anywhere in another name
    const named = (parse(volumes, found.body).Volumes ?? []).map(({ Name }) => Name).filter((name) => name.startsWith(prefix));
    return { containers: parse(listed, containers.body), images: parse(listed, images.body), networks: parse(listed, networks.body), volumes: named };
  }
}

/** `underWay`: the number of a start that this process is making; until that is made, it does not count. */
function runOfService(jobId: string, container: InspectedContainer, underWay: number | undefined, starts: ProjectStarts): ServiceRun {
  const found = parse(labels, (container.Config as { Labels?: unknown }).Labels);
  const health = container.State.Health?.Status;
  const marks = marksOf(container.Name);
  const run = runOf(jobId, container);
  // of a container that was started well the engine forgets what it said before
  const kept = run.state === 'exited' && (run.startedAt === undefined || marks.restarts > 0) ? run.exit?.error : undefined;
  const unsent = starts.isUnsent(container.Id);
  // written down, and not seen to have happened
  const open = underWay === undefined && run.state === 'exited' && marks.since === startMark(run.startedAt);
  const refused = kept ?? starts.refusal(container.Id, run) ?? (open && !unsent ? NOT_KNOWN : undefined);
  return {
    container: container.Id,
    plan: parse(planSchema, JSON.parse(found[SERVICE_LABELS.plan] ?? '{}')),
    user: String(container.Config['User']),
    run,
    ...(refused === undefined ? {} : { refused }),
    held: marks.held,
    asked: marks.asked,
    starting: underWay !== undefined,
    restarts: underWay === undefined ? marks.restarts - (open && unsent ? 1 : 0) : Math.min(marks.restarts, Math.max(0, underWay - 1)),
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
