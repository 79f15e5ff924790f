import { CONFIG_VARIABLE } from '../config.ts';

/** The configuration's file: the option, else the variable, else none. */
export function configFile(option: string | undefined, environment: NodeJS.ProcessEnv): string | undefined {
  return option ?? environment[CONFIG_VARIABLE];
}
