import type { ContainerPlan } from './docker-project-names.ts';
import { isTrouble } from './docker-errors.ts';
import type { EngineRun, Exit } from './engine.ts';

/** One container of a project as the engine sees it. */
export interface ServiceRun {
  /** Its name on the engine. */
  readonly container: string;
  readonly plan: ContainerPlan;
  /** uid:gid. */
  readonly user: string;
  readonly run: EngineRun;
  /** Somebody has stopped the project before this one was started: it never will be. */
  readonly held: boolean;
  /** Somebody was about to start it, after the project's first ones. */
  readonly asked: boolean;
  /** This process is starting it at this moment. */
  readonly starting: boolean;
  /** Times it was started once more. */
  readonly restarts: number;
  /** Why the engine could not start it the last time; absent = it could, or was not asked. */
  readonly refused?: string;
  /** Absent = has no health check. */
  readonly health?: string;
}

/** What is to be done about a project next. */
export interface ProjectState {
  /** Containers whose turn it is. */
  readonly ready: readonly ServiceRun[];
  /** Containers that have ended and are to be started once more. */
  readonly again: readonly ServiceRun[];
  readonly running: readonly ServiceRun[];
  /** Whether a container waits for another to become healthy, of which nobody tells. */
  readonly waitsForHealth: boolean;
  /** How the job ended; undefined = it has not. Others may still run then. */
  readonly exit?: Exit;
}

/** Of a container that was to be started once more by somebody who cannot say any more whether it was; it must not run too often. */
export const NOT_KNOWN = 'the engine or the gateway went down while it was to be started, and whether it ran is not known';

type Standing = 'met' | 'waits' | 'never';

/**
 * What the containers of a job say together. The job is over when every main one is; or when one can never start, because what it
 * needs has failed or the engine could not start it. Pure: whoever looks again after a restart comes to the same.
 */
export function projectState(containers: readonly ServiceRun[]): ProjectState {
  const running = containers.filter(({ run }) => run.state === 'running');
  const failed = containers.find(({ refused, run }) => refused !== undefined || (run.state === 'exited' && run.startedAt === undefined));
  const waiting = containers.filter(({ held, run }) => run.state === 'created' && !held).map((one) => ({ one, needs: one.plan.needs.map((need) => ({ ...need, standing: standingOf(need, containers) })) }));
  const hopeless = waiting.flatMap(({ one, needs }) => needs.filter(({ standing }) => standing === 'never').map((need) => ({ one, need })))[0];
  const main = containers.filter(({ plan }) => plan.main);
  const ready = waiting.filter(({ needs }) => needs.every(({ standing }) => standing === 'met')).map(({ one }) => one);
  const waitsForHealth = waiting.some(({ needs }) => needs.some(({ condition, standing }) => condition === 'service_healthy' && standing === 'waits'));
  const again = containers.filter((one) => restarts(one, containers));
  const common = { ready, again, running, waitsForHealth };
  const over = { ...common, ready: [], again: [] };
  if (main.length > 0 && main.every((one) => one.run.state === 'exited' && one.refused === undefined && !again.includes(one))) {
    return { ...over, exit: { ...exitOf(main), ...(main.some((one) => one.held && restarts({ ...one, held: false }, containers)) ? { stopped: true } : {}) } };
  }
  if (failed !== undefined) return { ...over, exit: notStarted(failed) };
  if (hopeless !== undefined) return { ...over, exit: failure(`service ${hopeless.one.plan.service} cannot start: it waits for ${hopeless.need.service} to be ${said(hopeless.need.condition)}, which ${whyNot(hopeless.need.service, containers)}`) };
  // Nothing runs, nothing can start: somebody has stopped the project on its way up.
  if (running.length + ready.length + again.length === 0) return { ...common, exit: { ...failure('the project was stopped before all of its services had started'), stopped: true } };
  return common;
}

/**
 * Whether somebody was about to start a container of which the engine says that it never was: an engine that is killed in the
 * middle of a start says so afterwards. Those that need nothing are started first, all at once.
 */
export function mayHaveStarted({ asked, held, plan, run, starting }: ServiceRun, containers: readonly ServiceRun[]): boolean {
  if (run.state !== 'created' || held || starting) return false;
  return asked || (plan.needs.length === 0 && containers.some((other) => other.run.state !== 'created'));
}

/** Whether a container may be started once more after it has ended. */
export function canRestart({ held, plan, restarts: times }: ServiceRun): boolean {
  return !held && times < (plan.restart?.most ?? 0);
}

/** Whether a container has ended and is to be started once more; an end that somebody waits for, or that is the job's, is none to undo. */
function restarts(one: ServiceRun, containers: readonly ServiceRun[]): boolean {
  const { plan, run } = one;
  if (run.state !== 'exited' || run.startedAt === undefined || one.refused !== undefined || !canRestart(one)) return false;
  if (run.exit?.code !== 0) return true;
  const awaited = containers.some((other) => other.plan.needs.some(({ service, condition }) => service === plan.service && condition === 'service_completed_successfully'));
  return plan.restart?.always === true && !plan.main && !awaited;
}

/** The run of the whole job, as of one container; `exited` only when nothing runs any more, nor ever will. */
export function jobRun(jobId: string, containers: readonly ServiceRun[]): EngineRun {
  const starts = containers.flatMap(({ run }) => run.startedAt ?? []);
  const startedAt = starts.length === 0 ? {} : { startedAt: Math.min(...starts) };
  const { exit, running } = projectState(containers);
  if (containers.every(({ run }) => run.state === 'created')) return { jobId, state: 'created' };
  // also between two services, when nothing runs at this moment
  if (exit === undefined || running.length > 0) return { jobId, state: 'running', ...startedAt };
  const main = containers.filter(({ plan, run }) => plan.main && run.state === 'exited');
  const ends = (main.length > 0 ? main : containers).flatMap(({ run }) => run.finishedAt ?? []);
  return {
    jobId,
    state: 'exited',
    ...startedAt,
    ...(ends.length === 0 ? {} : { finishedAt: Math.max(...ends) }),
    exit,
  };
}

/** The first exit that is not 0, in the order of the services; else 0. */
function exitOf(main: readonly ServiceRun[]): Exit {
  const exits = main.map(({ plan, run }) => ({ plan, exit: run.exit ?? { code: -1, outOfMemory: false } }));
  const bad = exits.find(({ exit }) => exit.code !== 0);
  if (bad === undefined) return { code: 0, outOfMemory: exits.some(({ exit }) => exit.outOfMemory) };
  if (exits.length === 1) return bad.exit;
  return { ...bad.exit, error: `service ${bad.plan.service}${bad.exit.error === undefined ? '' : `: ${bad.exit.error}`}` };
}

/** The end of a job of which the engine could not start a service: never with the exit code of an earlier run of it. */
function notStarted({ plan, refused, run }: ServiceRun): Exit {
  const words = refused ?? 'no reason given';
  const said = `service ${plan.service} could not be started${run.startedAt === undefined ? '' : ' once more'}: ${words}`;
  if (isTrouble(words) || words === NOT_KNOWN) return { ...failure(said), temporary: true };
  return failure(said, run.startedAt === undefined ? run.exit : undefined);
}

/** An end that is not a container's own. */
export function failure(error: string, exit?: Exit): Exit {
  return { code: exit?.code === 0 || exit === undefined ? -1 : exit.code, outOfMemory: exit?.outOfMemory ?? false, error };
}

/** Who can do without waits as others do, but not for what can never be. */
function standingOf(need: ContainerPlan['needs'][number], containers: readonly ServiceRun[]): Standing {
  const standing = standingOfAll(need, containers);
  return standing === 'never' && need.optional === true ? 'met' : standing;
}

function standingOfAll({ service, condition }: ContainerPlan['needs'][number], containers: readonly ServiceRun[]): Standing {
  const targets = containers.filter(({ plan }) => plan.service === service);
  const standings = targets.map((target) => (condition !== 'service_started' && restarts(target, containers) ? 'waits' : standingOfOne(target, condition)));
  if (targets.length === 0 || standings.includes('never')) return 'never';
  return standings.every((standing) => standing === 'met') ? 'met' : 'waits';
}

function standingOfOne({ run, health }: ServiceRun, condition: string): Standing {
  if (run.state === 'created') return 'waits';
  if (run.startedAt === undefined) return 'never';
  if (condition === 'service_completed_successfully') {
    if (run.state === 'running') return 'waits';
    return run.exit?.code === 0 ? 'met' : 'never';
  }
  if (condition !== 'service_healthy') return 'met';
  if (health === 'healthy') return 'met';
  return run.state === 'running' && health !== 'unhealthy' && health !== undefined ? 'waits' : 'never';
}

function said(condition: string): string {
  if (condition === 'service_healthy') return 'healthy';
  return condition === 'service_completed_successfully' ? 'completed' : 'started';
}

function whyNot(service: string, containers: readonly ServiceRun[]): string {
  const [bad] = containers.filter(({ plan, run, health }) => plan.service === service && (run.state === 'exited' || health === 'unhealthy'));
  if (bad === undefined) return 'it never will be';
  return bad.run.state === 'exited' ? `ended with exit code ${String(bad.run.exit?.code ?? -1)}` : 'is unhealthy';
}
