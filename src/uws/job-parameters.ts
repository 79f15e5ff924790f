import type { Job, Parameter } from '../job/job.ts';
import { CONTAINER_PARAMETERS } from '../task/container-parameters.ts';
import { isSecretName } from '../task/secret-parameters.ts';
import { isXmlText } from './xml.ts';

const MULTIPLE: ReadonlySet<string> = new Set(CONTAINER_PARAMETERS.filter(({ multiple }) => multiple).map(({ name }) => name));

/** Whether a parameter may be given several times; in JSON it is a list then. */
export function isMultiple(name: string): boolean {
  return MULTIPLE.has(name);
}

/** Whether a document only says where the value is: an upload, and what XML cannot hold, must be given so (UWS.xsd, byReference). */
export function isByReference({ value, byReference }: Parameter): boolean {
  return byReference === true || !isXmlText(value);
}

/** Whether a document shows the name alone: nobody gets the value back. */
export function isSecret({ name }: Parameter): boolean {
  return isSecretName(name);
}

/** The values of the parameter with this name, in any letter case. */
export function valuesOfParameter(job: Job, name: string): readonly Parameter[] {
  const folded = name.toUpperCase();
  return job.parameters.filter((parameter) => parameter.name.toUpperCase() === folded);
}
