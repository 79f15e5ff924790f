import { z } from 'zod';
import { parseCores, parseDuration, parseSize } from './units.ts';

/** A value of the configuration that `parse` turns into a number; where it cannot, the problem is said to be that it must be `form`. */
function written(parse: (text: string) => number | undefined, form: string, given: z.ZodType<string | number> = z.union([z.string(), z.number()], `must be ${form}`)) {
  return given.transform((value, context) => {
    const number = parse(String(value));
    if (number !== undefined) return number;
    context.addIssue({ code: 'custom', message: `must be ${form}` });
    return z.NEVER;
  });
}

const SIZE = 'a size with its unit such as 512M or 2G';

/** In seconds once parsed. */
export const seconds = written(parseDuration, 'a duration such as 30s, 5m, 12h, 7d or PT5M');

/** In bytes once parsed. A number without a unit is refused: it would be bytes to some and gigabytes to others. */
export const bytes = written((text) => parseSize(text), SIZE, z.string(`must be ${SIZE}`));

export const cores = written(parseCores, 'a number of cores such as 2 or 0.5');
