import type { Caller } from '../caller.ts';
import type { ComposeService } from '../compose/compose-file.ts';
import type { Place } from '../compose/compose-node.ts';
import { type ComposePath, formatPath } from '../compose/compose-problem.ts';
import { GatewayError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import { quoted } from '../image/quoted.ts';
import { parseReference, type Reference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import { MOST_PORTS } from '../task/endpoints.ts';
import type { Task, Resources } from '../task/task.ts';
import { type Asked, askedOf } from './compose-resource-rules.ts';
import type { ProjectReason, Reason, Verdict } from './verdict.ts';

/** How a container's task is judged: by the rule for its image, like any other's. */
export type JudgeTask = (task: Task, caller: Caller, signal: AbortSignal) => Promise<Verdict>;

/** What the judge of images says of a service. */
export interface ServiceVerdict {
  /** Absent where there is no image to judge. */
  readonly verdict?: Verdict;
  readonly reasons: readonly ProjectReason[];
  readonly warnings: readonly ProjectReason[];
}

/** What a service is given beside what its file says. */
export interface ServiceGiven {
  readonly share: Resources;
  /** By what was judged before; absent = by its name. */
  readonly pin?: Digest | undefined;
  /** Whether ports of services can be reached here, where the rule lets them. */
  readonly serves: boolean;
  /** The caller's own; absent = the site's. */
  readonly logins?: RegistryLogins | undefined;
}

/**
 * Judges the container of one service as a container task: its image, command, entrypoint, variables, ports and resources. `share` is
 * what it gets; where it did not ask for that much itself, the rule may give less. Ports that the rule does not let serve are for the
 * other services only. Throws as Policy.evaluate.
 */
export async function judgeService(service: ComposeService, { share, pin, serves, logins }: ServiceGiven, judge: JudgeTask, caller: Caller, signal: AbortSignal): Promise<ServiceVerdict> {
  const parsed = referenceOf(service, pin);
  if (parsed === undefined) return { reasons: [], warnings: [] };
  if ('code' in parsed) return { reasons: [parsed], warnings: [] };
  const plain: Task = {
    type: 'container',
    image: parsed,
    command: service.command?.value ?? [],
    ...(service.entrypoint === undefined ? {} : { entrypoint: service.entrypoint.value }),
    env: Object.fromEntries([...service.environment].map(([name, said]) => [name, said.value ?? ''])),
    ...share,
    ...(logins === undefined ? {} : { logins }),
  };
  const ports = serves ? tcpPorts(service) : [];
  let task: Task = ports.length === 0 ? plain : { ...plain, ports };
  let verdict = await judge(task, caller, signal);
  if (refusesPorts(verdict)) {
    task = plain;
    verdict = await judge(task, caller, signal);
  }
  const less = lessOf(askedOf(service), share, verdict);
  if (less !== undefined) verdict = await judge({ ...task, ...less }, caller, signal);
  const told = (reason: Reason): ProjectReason => atService(service, reason);
  return verdict.accepted ? { verdict, reasons: [], warnings: [...(verdict.warnings ?? []).map(told), ...unreached(service, task)] } : { verdict, reasons: verdict.reasons.map(told), warnings: [] };
}

/** Ports of the container that its file publishes, wherever on the host it would. */
function tcpPorts({ ports }: ComposeService): readonly number[] {
  const single = ports.filter(({ protocol, target, lastTarget }) => protocol === 'tcp' && target === lastTarget);
  return [...new Set(single.map(({ target }) => target))].slice(0, MOST_PORTS);
}

function refusesPorts(verdict: Verdict): boolean {
  return !verdict.accepted && verdict.reasons.some(({ code }) => code === 'ports.not-allowed');
}

/** A warning for each port that its owner cannot reach. */
function unreached({ ports }: ComposeService, task: Task): readonly ProjectReason[] {
  const left = ports.filter(({ protocol, target }) => protocol !== 'tcp' || task.ports?.includes(target) !== true);
  return left.map(({ path, line }) => ({ code: 'compose.warning', path: formatPath(path), line, text: `${formatPath(path)}: can be reached by the services of the job only` }));
}

/** Of the resources that the service did not ask for itself, those that the rule gives less of. */
function lessOf(asked: Asked, share: Resources, verdict: Verdict): Asked | undefined {
  if (verdict.accepted || verdict.offered === undefined) return undefined;
  const { offered } = verdict;
  const lower = (['cores', 'memory'] as const).filter((kind) => asked[kind] === undefined && offered[kind] < share[kind]);
  return lower.length === 0 ? undefined : Object.fromEntries(lower.map((kind) => [kind, offered[kind]]));
}

function referenceOf({ image }: ComposeService, pin: Digest | undefined): Reference | ProjectReason | undefined {
  if (image === undefined) return undefined;
  try {
    const reference = parseReference(image.value);
    if (pin === undefined) return reference;
    return { domain: reference.domain, path: reference.path, ...(reference.tag === undefined ? {} : { tag: reference.tag }), digest: pin };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'BadReference') throw error;
    return { code: 'image.reference', path: formatPath(image.path), line: image.line, text: error.message };
  }
}

/** The same reason, at its place in the file. */
function atService(service: ComposeService, reason: Reason): ProjectReason {
  const { path, line } = placeIn(service, reason.path);
  return { ...reason, path: formatPath(path), line, text: `service ${/^[\w.-]{1,63}$/.test(service.name) ? service.name : quoted(service.name)}: ${reason.text}` };
}

function placeIn(service: ComposeService, path: string): Place {
  const under = (key: string, said: Place | undefined): Place => said ?? { path: [...service.path, key] as ComposePath, line: service.line };
  if (path.startsWith('env')) return under('environment', service.environment.get(path.slice('env.'.length)));
  if (path === 'resources.cores') return under('cpus', service.resources.cores[0]);
  if (path === 'resources.memory') return under('mem_limit', service.resources.memory[0]);
  if (path === 'command') return under('command', service.command);
  if (path === 'entrypoint') return under('entrypoint', service.entrypoint);
  return under('image', service.image);
}
