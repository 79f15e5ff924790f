import type { ParameterDescription } from '../task/parameter.ts';
import type { XmlElement } from './xml.ts';

/** VODataService's simple types (VODataService 1.2 §3.5.2). */
const TYPES: Readonly<Record<ParameterDescription['type'], string>> = { string: 'string', number: 'real' };

/** A job list's parameters as VODataService describes those of an interface (vs:ParamHTTP): what one posts to create a job. */
export function parametersToVoDataService(parameters: readonly ParameterDescription[]): XmlElement {
  if (parameters.length === 0) return {};
  const param = parameters.map(({ name, description, unit, type, required }) => ({
    $: { use: required ? 'required' : 'optional', std: 'false' },
    name,
    description,
    ...(unit === undefined ? {} : { unit }),
    dataType: TYPES[type],
  }));
  return { queryType: 'POST', resultType: 'text/xml', param };
}
