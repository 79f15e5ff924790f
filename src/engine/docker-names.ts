import { EngineRefused } from './engine.ts';

/** What everything of one job is called on the engine. */
export interface DockerNames {
  readonly container: string;
  /** The container that is never started and only prepares the output volume. */
  readonly blank: string;
  readonly output: string;
}

/** The same of a job that is one container. */
export interface JobNames extends DockerNames {
  /** The volume in memory for secrets, and the container that is never started and only brings them there. */
  readonly secrets: string;
}

export const LABELS = {
  gateway: 'pratique.gateway',
  job: 'pratique.job',
  role: 'pratique.role',
  manifest: 'pratique.manifest',
  config: 'pratique.config',
} as const;

/** Those from `service` to `volume` are of projects: docker-project-names.ts. */
export type Role = 'job' | 'blank' | 'output' | 'secrets' | 'relay' | 'service' | 'files' | 'network' | 'volume';

const OUTPUT = '.output';
const SECRETS = '.secrets';

/** No dot: it separates the parts of a name, so that gateway `a` with job `b-c` and gateway `a-b` with job `c` stay two. */
const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Whether a label's text is a job id of ours. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/** The names of a job's things, derived from gateway and job id alone. Throws EngineRefused for an id no name can hold. */
export function namesOf(gateway: string, jobId: string): JobNames {
  if (!isJobId(jobId)) throw new EngineRefused('the job id cannot name a container');
  const container = `${namePrefix(gateway)}${jobId}`;
  return { container, blank: `${container}.blank`, output: `${container}${OUTPUT}`, secrets: `${container}${SECRETS}` };
}

/** The network of a job that has one of its own. */
export function networkOf({ container }: DockerNames): string {
  return `${container}.net`;
}

/** The container through which the gateway reaches a job that serves. */
export function relayOf({ container }: DockerNames): string {
  return `${container}.relay`;
}

/** What the names of everything of a gateway begin with. */
export function namePrefix(gateway: string): string {
  return `pratique-${gateway}.`;
}

/** The job whose volume, for output or secrets, has this name, if it is one of the gateway's. */
export function jobOfVolume(gateway: string, name: string): string | undefined {
  const prefix = namePrefix(gateway);
  const suffix = [OUTPUT, SECRETS].find((each) => name.endsWith(each));
  return name.startsWith(prefix) && suffix !== undefined ? name.slice(prefix.length, -suffix.length) : undefined;
}

/** What brings the container of a job its secrets. */
export function secretsPlaceOf(gateway: string, jobId: string): { readonly container: string; readonly secrets: string; readonly labels: Record<string, string> } {
  const { container, secrets } = namesOf(gateway, jobId);
  return { container, secrets, labels: labelsOf(gateway, jobId, 'secrets') };
}

/** The labels by which a job's things are found again. */
export function labelsOf(gateway: string, jobId: string, role: Role): Record<string, string> {
  return { [LABELS.gateway]: gateway, [LABELS.job]: jobId, [LABELS.role]: role };
}
