import type { Job } from '../job/job.ts';
import type { SecretBox } from '../job/secret-box.ts';
import { openSecrets } from '../job/secrets.ts';
import type { PinnedWork } from '../task/project.ts';

/** The texts that containers of `work` get as secrets, by name: those of the job's parameters, and those that its file says. Throws as openSecrets. */
export function secretsOf(job: Pick<Job, 'id' | 'parameters'>, work: PinnedWork, box: SecretBox): ReadonlyMap<string, string> {
  const given = openSecrets(job, box);
  if (work.type === 'container') return given;
  const said = work.services.flatMap(({ secrets = [] }) => secrets.flatMap(({ name, content }) => (content === undefined ? [] : [[name, content] as const])));
  return new Map([...given, ...said]);
}

/** The same for containers that a job starts while it runs: a single one has got what it gets. */
export function laterSecrets(job: Pick<Job, 'id' | 'parameters' | 'task'>, box: SecretBox): ReadonlyMap<string, string> | undefined {
  return job.task?.type === 'project' ? secretsOf(job, job.task, box) : undefined;
}
