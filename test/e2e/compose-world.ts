import { execFile } from 'node:child_process';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { SystemClock } from '../../src/clock.ts';
import { DockerProjects } from '../../src/engine/docker-projects.ts';
import { engineSchema } from '../../src/engine/engine-config.ts';
import type { EngineRun, OutputSkipped } from '../../src/engine/engine.ts';
import { STRICT } from '../../src/policy/compose-knobs.ts';
import { judgeFile } from '../../src/policy/compose-judge.ts';
import type { Image } from '../../src/image/image.ts';
import type { ComposeKnobs } from '../../src/policy/compose-knobs.ts';
import { projectJobId, type PinnedProject } from '../../src/task/project.ts';
import { DockerWorld } from '../contract/engine-docker.ts';

const run = promisify(execFile);

/** How a project went, all of it in memory. */
export interface ProjectStory {
  readonly run: EngineRun;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout of each service. */
  readonly parts: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly skipped: readonly OutputSkipped[];
}

const SITE = { user: '65534:65534', resources: { cores: 0.5, memory: 64 * 2 ** 20 }, maximum: { cores: 2, memory: 2 ** 30 } };

/** The real engine for projects: names and labels of its own, and nothing left behind. */
export class ComposeWorld {
  readonly docker: DockerWorld;
  readonly projects: DockerProjects;
  /** The image that files name `registry.example.org/shell`. */
  image!: Image;
  #jobs = 0;

  readonly #settings: Record<string, unknown>;

  private constructor(docker: DockerWorld, settings: Record<string, unknown>) {
    this.docker = docker;
    this.#settings = settings;
    this.projects = this.successor();
  }

  static async start(settings: Record<string, unknown> = {}): Promise<ComposeWorld> {
    return new ComposeWorld(await DockerWorld.start(settings), settings);
  }

  /** As another process of the same gateway has it. To be closed. */
  successor(): DockerProjects {
    return new DockerProjects({ config: engineSchema.parse(this.#settings), gateway: this.docker.gateway, clock: new SystemClock(), environment: process.env });
  }

  newJob(): string {
    return projectJobId(`job${String(++this.#jobs)}`);
  }

  /** The project that the judge makes of a file whose only image is `image`. */
  async judge(file: unknown, knobs: Partial<ComposeKnobs> = {}, variables: Readonly<Record<string, string>> = {}, service?: string, secrets: readonly string[] = []): Promise<PinnedProject> {
    const { image } = this;
    const question = { file: typeof file === 'string' ? file : JSON.stringify(file), variables: new Map(Object.entries(variables)), secrets: new Set(secrets), ...(service === undefined ? {} : { service }) };
    const judgement = await judgeFile(
      question,
      {
        knobs: { ...STRICT, ...knobs },
        site: SITE,
        platform: image.platform,
        judge: async (task) => ({
          accepted: true,
          task: {
            type: 'container', image, command: task.command, ...(task.entrypoint === undefined ? {} : { entrypoint: task.entrypoint }), env: task.env,
            resources: { cores: task.cores ?? 0.5, memory: task.memory ?? 64 * 2 ** 20 }, user: SITE.user,
          },
          decision: { id: 'x', at: 0, policy: image.manifestDigest, rule: 'x' },
        }),
      },
      { id: null, groups: [] },
      AbortSignal.timeout(10_000),
    );
    if (judgement.project === undefined) throw new Error(judgement.problems.map((problem) => problem.text).join('; '));
    return judgement.project;
  }

  async create(project: PinnedProject, jobId = this.newJob()): Promise<string> {
    const { signal } = new AbortController();
    for (const { task } of project.services) await this.docker.engine.ensureImage(task.image, () => undefined, signal);
    await this.projects.create(jobId, project, signal);
    return jobId;
  }

  /** Runs the project to its end and removes every trace of it. */
  async run(file: unknown, knobs: Partial<ComposeKnobs> = {}, variables: Readonly<Record<string, string>> = {}, service?: string): Promise<ProjectStory> {
    const { signal } = new AbortController();
    const project = await this.judge(file, knobs, variables, service);
    const jobId = await this.create(project);
    try {
      await this.projects.start(jobId, signal);
      return await this.story(jobId, await this.projects.wait(jobId, signal), project.services.map(({ name }) => name));
    } finally {
      await this.projects.remove(jobId);
    }
  }

  async story(jobId: string, ended: EngineRun, services: readonly string[] = []): Promise<ProjectStory> {
    const { signal } = new AbortController();
    const log = async (stream: 'stdout' | 'stderr', part?: string): Promise<string> => text(await this.projects.logs(jobId, stream, { follow: false, ...(part === undefined ? {} : { part }) }));
    const parts: Record<string, string> = {};
    for (const part of services) parts[part] = await log('stdout', part);
    const files: Record<string, string> = {};
    const skipped: OutputSkipped[] = [];
    for await (const entry of this.projects.outputs(jobId, signal)) {
      if ('content' in entry) files[entry.path] = (await buffer(entry.content)).toString('utf8');
      else skipped.push(entry);
    }
    return { run: ended, stdout: await log('stdout'), stderr: await log('stderr'), parts, files, skipped };
  }

  /** What the engine has with this world's names: containers, networks, volumes, images, one line each. */
  async left(): Promise<readonly string[]> {
    const filter = `label=pratique.gateway=${this.docker.gateway}.p`;
    const asked = await Promise.all([
      run('docker', ['ps', '-a', '--filter', filter, '--format', 'container {{.Names}}']),
      run('docker', ['network', 'ls', '--filter', filter, '--format', 'network {{.Name}}']),
      run('docker', ['volume', 'ls', '--filter', filter, '--format', 'volume {{.Name}}']),
      run('docker', ['image', 'ls', '--filter', filter, '--format', 'image {{.ID}}']),
    ]);
    return asked.flatMap(({ stdout }) => stdout.trim().split('\n').filter((line) => line !== ''));
  }

  async stop(): Promise<void> {
    for (const { jobId } of await this.projects.list()) await this.projects.remove(jobId);
    await this.projects.close();
    await this.docker.stop();
  }
}
