import { GatewayError } from '../errors.ts';
import { type Field, decodeQuery } from './request-body.ts';

/** The query of the request, in the order given. Throws BadRequest for a percent escape that is none. */
export function queryOf(ctx: { readonly url: string }): readonly Field[] {
  return ctx.url.includes('?') ? decodeQuery(ctx.url) : NONE;
}

const NONE: readonly Field[] = [];

/** Every value of a parameter; names are the same in any letter case (DALI 1.1 §3.1), values are not. */
export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  return fields.length === 0 ? [] : fields.filter((field) => field.name.toUpperCase() === name).map(({ value }) => value);
}

/** The one value of a single-valued parameter. Throws BadParameter when it is given several times. */
export function valueOf(fields: readonly Field[], name: string): string | undefined {
  const values = valuesOf(fields, name);
  if (values.length > 1) throw new GatewayError('BadParameter', `${name} is given more than once`, { path: name });
  return values[0];
}
