import type { ServerResponse } from 'node:http';
import { SERVICE_LABELS, type ContainerPlan } from '../../../src/engine/docker-project-names.ts';
import type { ScriptedDocker } from './scripted-docker.ts';

const NEVER = '0001-01-01T00:00:00Z';

/** One container of a project, as an engine has it. */
export class ScriptedContainer {
  readonly id: string;
  readonly plan: ContainerPlan;
  name: string;
  status: 'created' | 'running' | 'exited' = 'created';
  code = 0;
  /** Why it could not be started the last time. */
  error = '';
  startedAt = NEVER;
  /** Whether the engine still has the event of its making or of its latest name. */
  remembered = true;
  /** What a start does. */
  onStart: (container: ScriptedContainer) => void = (container) => container.began();

  constructor(id: string, plan: ContainerPlan) {
    this.id = id;
    this.plan = plan;
    this.name = `pratique-site.p.c-1.0-${String(plan.index + 1)}`;
  }

  began(at = 1): void {
    this.status = 'running';
    this.startedAt = new Date(at * 1000).toISOString();
  }

  /** The kernel has said so, too late for the engine to mark the container. */
  outOfMemory = false;

  ended(code = 0): void {
    this.status = 'exited';
    this.code = code;
  }
}

/** The containers of job `c-1` of the gateway `site`, on an engine whose answers follow from them. */
export class ScriptedProject {
  readonly #docker: ScriptedDocker;
  readonly containers: ScriptedContainer[] = [];
  /** Names of volumes: the engine has them without labels. */
  volumes: string[] = [];

  constructor(docker: ScriptedDocker, services: readonly (Partial<ContainerPlan> & { readonly service: string })[], of = services.length) {
    this.#docker = docker;
    services.forEach((service, index) => this.#add({ replica: 1, of, index, main: index === services.length - 1, level: index, needs: [], ...service }));
    const empty = { json: [] };
    docker
      .on('GET /containers/json', this.#says(() => this.containers.map(({ id }) => ({ Id: id, Labels: { 'pratique.job': 'c-1' } }))))
      .on('GET /images/json', empty)
      .on('GET /networks', empty)
      .on('GET /volumes', this.#says(() => ({ Volumes: this.volumes.map((Name) => ({ Name, Labels: null })) })))
      .on('GET /info', { json: { SystemTime: '2026-01-01T00:00:00.5Z' } })
      .on('GET /events', { raw: (response) => void response.end(this.#events()) });
  }

  of(service: string): ScriptedContainer {
    const found = this.containers.find(({ plan }) => plan.service === service);
    if (found === undefined) throw new Error(`no container of ${service}`);
    return found;
  }

  lose(service: string): void {
    this.containers.splice(this.containers.indexOf(this.of(service)), 1);
  }

  /** What was done to containers, in order: `start web`, `rename web .asked`, `stop web`, `remove web`. */
  done(): readonly string[] {
    return this.#docker.calls.flatMap(({ call, query }) => {
      const [, method, id, what] = /^(POST|DELETE) \/containers\/([^/]+)(?:\/(start|stop|rename))?$/.exec(call) ?? [];
      const container = this.#all.find((each) => each.id === id);
      if (container === undefined || (method === 'POST' && what === undefined)) return [];
      const { service, index } = container.plan;
      const name = query.get('name')?.replace(`pratique-site.p.c-1.0-${String(index + 1)}`, '');
      return [`${what ?? 'remove'} ${service}${what === 'rename' ? ` ${name ?? ''}` : ''}`];
    });
  }

  readonly #all: ScriptedContainer[] = [];

  #add(plan: ContainerPlan): void {
    const container = new ScriptedContainer(`${plan.service}-id`, plan);
    this.containers.push(container);
    this.#all.push(container);
    const path = `/containers/${container.id}`;
    const does = (work: () => void): { raw: (response: ServerResponse) => void } => ({ raw: (response) => { work(); response.writeHead(204).end(); } });
    this.#docker
      .on(`GET ${path}/json`, this.#says(() => inspected(container)))
      .on(`POST ${path}/start`, does(() => container.onStart(container)))
      .on(`POST ${path}/stop`, does(() => container.ended(143)))
      .on(`POST ${path}/wait`, 'hang')
      .on(`POST ${path}/rename`, does(() => {
        container.name = this.#docker.calls.at(-1)?.query.get('name') ?? '';
        container.remembered = true;
      }))
      .on(`DELETE ${path}`, does(() => this.containers.splice(this.containers.indexOf(container), 1)));
  }

  #says(what: () => unknown): { raw: (response: ServerResponse) => void } {
    return { raw: (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(what())) };
  }

  #events(): string {
    const line = (Action: string, ID: string): string => JSON.stringify({ Action, Actor: { ID } });
    const made = this.containers.filter(({ remembered }) => remembered).map(({ id, name }) => line(/\d$/.test(name) ? 'create' : 'rename', id));
    const lines = [...made, ...this.containers.filter(({ outOfMemory }) => outOfMemory).map(({ id }) => line('oom', id))];
    return lines.map((line) => `${line}\n`).join('');
  }
}

function inspected({ id, plan, name, status, code, error, startedAt }: ScriptedContainer): object {
  return {
    Id: id, Name: `/${name}`, Image: 'sha256:x', HostConfig: {}, Mounts: [],
    Config: { Labels: { [SERVICE_LABELS.service]: plan.service, [SERVICE_LABELS.plan]: JSON.stringify(plan) } },
    State: { Status: status, ExitCode: code, Error: error, StartedAt: startedAt, FinishedAt: status === 'exited' ? new Date(Date.parse(startedAt) + 1000).toISOString() : NEVER },
  };
}
