import type { Context } from 'koa';
import { GatewayError } from '../errors.ts';
import { preferences } from '../http/negotiate.ts';
import { queryOf, valueOf } from '../http/parameters.ts';

/** In which form a document is answered. */
export type Representation = 'xml' | 'json' | 'html';

const FORMATS: Readonly<Record<string, Representation>> = {
  json: 'json', 'application/json': 'json', xml: 'xml', 'text/xml': 'xml', 'application/xml': 'xml', html: 'html', 'text/html': 'html',
};

/**
 * XML unless something else is preferred strictly (UWS 1.1 §2.2: XML is the default and wins); the query's RESPONSEFORMAT (DALI
 * 1.1 §3.4.3) overrides. `native` text: of what is plain text by nature. Never 406. Throws BadParameter for a RESPONSEFORMAT that there is not.
 */
export function representationOf(ctx: Context, native: 'xml' | 'text' = 'xml'): Representation {
  const asked = valueOf(queryOf(ctx), 'RESPONSEFORMAT');
  if (asked !== undefined) return formatOf(asked);
  const { accept } = ctx.req.headers;
  if (accept === undefined) return 'xml';
  const { xml, text, json, html } = preferences(accept);
  const rival = native === 'text' ? Math.max(xml, text) : xml;
  if (json > rival && json >= html) return 'json';
  return html > rival ? 'html' : 'xml';
}

function formatOf(asked: string): Representation {
  const format = Object.hasOwn(FORMATS, asked.toLowerCase()) ? FORMATS[asked.toLowerCase()] : undefined;
  if (format !== undefined) return format;
  throw new GatewayError('BadParameter', `RESPONSEFORMAT must be one of ${Object.keys(FORMATS).join(', ')}`, { path: 'RESPONSEFORMAT' });
}
