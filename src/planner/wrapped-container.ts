import { dump } from 'js-yaml';
import type { Caller } from '../caller.ts';
import { formatReference } from '../image/reference.ts';
import type { RegistryLogins } from '../image/registry-logins.ts';
import type { ProjectPolicy } from '../policy/policy.ts';
import { formatComposeParameters } from '../task/compose-parameters.ts';
import type { GivenParameter } from '../task/parameter.ts';
import type { PinnedTask } from '../task/task.ts';
import { formatSize } from '../task/units.ts';

/** Where containers can be run as compose files of one service (note §4.4), and who judges those. */
export interface WrapParts {
  readonly policy: ProjectPolicy;
  /** Absolute URL of the list of compose jobs. */
  readonly jobListUrl: string;
}

/**
 * The parameters of the compose job that runs this container, for clients that only know compose; undefined where the file would not
 * be taken. Throws as ProjectPolicy.evaluateProject.
 */
export async function wrapContainer(task: PinnedTask, logins: RegistryLogins | undefined, { policy }: WrapParts, caller: Caller, signal: AbortSignal): Promise<readonly GivenParameter[] | undefined> {
  const wrapped = { type: 'compose' as const, file: composeFileOf(task), variables: new Map<string, string>(), ...(logins === undefined ? {} : { logins }) };
  const { accepted, decision } = await policy.evaluateProject(wrapped, caller, signal);
  return accepted ? [...formatComposeParameters(wrapped), { name: 'DECISION', value: decision.id }] : undefined;
}

/** A compose file of one service that is this container: its image by digest, its words and variables as they are. */
export function composeFileOf({ image, command, entrypoint, env, resources }: PinnedTask): string {
  const container = {
    image: literal(formatReference({ ...image.reference, digest: image.manifestDigest })),
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint.map(literal) }),
    ...(command.length === 0 ? {} : { command: command.map(literal) }),
    ...(Object.keys(env).length === 0 ? {} : { environment: Object.entries(env).map(([name, value]) => `${name}=${literal(value)}`) }),
    cpus: String(resources.cores),
    mem_limit: formatSize(resources.memory).toLowerCase(),
  };
  return dump({ services: { container } }, { lineWidth: -1 });
}

/** No variable is meant: what a client wrote is what the container gets. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}
