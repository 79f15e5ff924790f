import type { Context } from 'koa';
import { GatewayError } from '../errors.ts';
import { type Part, decodeMultipart } from '../http/multipart.ts';
import { queryOf } from '../http/parameters.ts';
import { type Field, boundaryOf, contentTypeOf, decodeForm, decodeText, hasBody, parseContentType, readBody } from '../http/request-body.ts';
import { parseJsonBody } from '../http/json-body.ts';
import { type RequestDocument, documentFields } from './request-documents.ts';

/** What a request gives: fields of its query and body, and uploaded files by the name of their part. */
export interface RequestFields {
  readonly query: readonly Field[];
  readonly body: readonly Field[];
  readonly uploads: ReadonlyMap<string, string>;
}

const ACCEPTED = 'application/x-www-form-urlencoded, multipart/form-data, application/json';
const NO_UPLOADS: ReadonlyMap<string, string> = new Map();

/**
 * Reads a request that changes something: a form, multipart or the JSON document of this kind; an empty body is none. Throws
 * UnsupportedMediaType, TooLarge, BadRequest, and BadParameter for a JSON member that does not belong there.
 */
export async function readRequestFields(ctx: Context, limit: number, kind: RequestDocument): Promise<RequestFields> {
  const query = queryOf(ctx);
  if (!hasBody(ctx.req)) return { query, body: [], uploads: NO_UPLOADS };
  const type = contentTypeOf(ctx.req);
  if (type === undefined) throw unsupported();
  switch (type.value) {
    case 'application/x-www-form-urlencoded':
      return { query, body: decodeForm(await readBody(ctx.req, limit), type), uploads: NO_UPLOADS };
    case 'application/json':
      return { query, body: documentFields(kind, parseJsonBody(decodeText(await readBody(ctx.req, limit), type))), uploads: NO_UPLOADS };
    case 'multipart/form-data': {
      const boundary = boundaryOf(type);
      return { query, ...sortParts(decodeMultipart(await readBody(ctx.req, limit), boundary)) };
    }
    default:
      throw unsupported();
  }
}

/** All fields of query and body where only these are known. Throws BadParameter naming another one. */
export function knownFields({ query, body, uploads }: RequestFields, names: readonly string[]): readonly Field[] {
  const fields = [...query, ...body];
  const known = [...names, 'RESPONSEFORMAT'];
  const [other] = [...fields.map(({ name }) => name), ...uploads.keys()].filter((name) => !known.includes(name.toUpperCase()));
  if (other === undefined) return fields;
  const name = other.slice(0, 100);
  throw new GatewayError('BadParameter', `${JSON.stringify(name)} is no parameter of this resource; it takes ${names.join(' or ')}`, { path: name });
}

function unsupported(): GatewayError {
  return new GatewayError('UnsupportedMediaType', `the body must be of one of the types ${ACCEPTED}`, { headers: { 'Accept-Post': ACCEPTED } });
}

/** Parts with a file name are uploads, the others fields (RFC 7578 §4.2). A file's name is never used. */
function sortParts(parts: readonly Part[]): Pick<RequestFields, 'body' | 'uploads'> {
  const uploads = new Map<string, string>();
  const body: Field[] = [];
  for (const part of parts) {
    const type = part.contentType === undefined ? undefined : parseContentType(part.contentType);
    if (part.filename === undefined) body.push({ name: part.name, value: decodeText(part.bytes, type) });
    else if (uploads.has(part.name)) throw new GatewayError('BadRequest', `two uploads are named ${JSON.stringify(part.name.slice(0, 100))}`);
    else uploads.set(part.name, decodeText(part.bytes));
  }
  return { body, uploads };
}
