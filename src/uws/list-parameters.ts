import type { JobListName } from '../job/job.ts';
import { COMPOSE_PARAMETERS, composeParameterName } from '../task/compose-parameters.ts';
import { CONTAINER_PARAMETERS, containerParameterName } from '../task/container-parameters.ts';
import type { ParameterDescription } from '../task/parameter.ts';

/** What a job list takes. */
export interface ListParameters {
  readonly descriptions: readonly ParameterDescription[];
  /** The canonical spelling of a name. Throws BadParameter that names the allowed ones, `others` among them. */
  readonly nameOf: (given: string, others?: readonly string[]) => string;
  /** Bytes of one value at most. */
  readonly longest: number;
}

/** As long as the kernel takes in one argument. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;
/** As long as a compose file may be. */
const LONGEST_FILE = 256 * 1024;

/** What each job list takes. */
export const LIST_PARAMETERS: Readonly<Record<JobListName, ListParameters>> = {
  docker: { descriptions: CONTAINER_PARAMETERS, nameOf: containerParameterName, longest: LONGEST_ARGUMENT },
  compose: { descriptions: COMPOSE_PARAMETERS, nameOf: composeParameterName, longest: LONGEST_FILE },
};

/** What a description's name stands for where it is the beginning of many: `ENV.` of `ENV.<NAME>`. */
export function prefixOf({ name }: ParameterDescription): string | undefined {
  return /^(.+\.)<[A-Z]+>$/.exec(name)?.[1];
}
