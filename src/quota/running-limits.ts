import type { Resources } from '../task/task.ts';
import type { QuotaConfig } from './quota-config.ts';
import { type Holder, scopesOf } from './quota-scope.ts';

/** A job that runs. */
export interface Running extends Holder {
  readonly resources: Resources;
}

/** A job that wants to run. */
interface Starter extends Holder {
  readonly task: { readonly resources: Resources } | null;
}

/** Whether a job may start beside those that run, as far as the quotas of its owner and groups go; for the queue. */
export function runningLimits(config: QuotaConfig): (job: Starter, running: readonly Running[]) => boolean {
  return (job, running) =>
    scopesOf(config, { owner: job.owner, groups: job.groups }).every(({ limits, holds }) => {
      const theirs = running.filter(holds);
      const { cores, memory } = job.task?.resources ?? { cores: 0, memory: 0 };
      const sum = (of: (resources: Resources) => number): number => theirs.reduce((total, { resources }) => total + of(resources), 0);
      // thousandths: 0.1 + 0.2 must fit into 0.3
      const inThousandths = Math.round((sum((each) => each.cores) + cores) * 1000);
      return theirs.length < (limits.running ?? Infinity) && inThousandths <= (limits.cores ?? Infinity) * 1000 && sum((each) => each.memory) + memory <= (limits.memory ?? Infinity);
    });
}
