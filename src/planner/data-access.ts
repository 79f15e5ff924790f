import { type Caller, isMember } from '../caller.ts';
import { GatewayError } from '../errors.ts';
import { wildcardMatches } from '../wildcard.ts';
import { parseDocument } from './document.ts';
import type { NoReason } from './offer.ts';
import type { DataRule } from './planner-config.ts';
import { type Branch, isBranch, isList, UploadedDocument, type Value } from './question.ts';

/** Something that a task needs to read, as one text, and where the question says so. */
export interface DataReference {
  /** `vos://…`, `ivo://…`, `https://…`, `s3://bucket/key`, `s3+https://endpoint/bucket/key`, `rucio://RSE/scope:name`. */
  readonly text: string;
  readonly path: string;
}

/** Nobody's task reads more than this by name. */
const MAX_REFERENCES = 100;
const SCHEMES = ['vos', 'ivo', 'http', 'https', 's3', 's3+http', 's3+https', 'rucio'];

/**
 * The data that a task says it needs (the note's section 6 names VOSpace, Rucio and S3 and leaves the rest open): a list of URIs,
 * or of members `rucio` (`scope:name`) with `rse`, `uri` with `endpoint` where it is of S3. Throws BadParameter.
 */
export function readDataReferences(value: Value | undefined, path: string): readonly DataReference[] {
  if (value === undefined || value === null || value === '') return [];
  if (value instanceof UploadedDocument) return readDataReferences(parseDocument(value.text, path), path);
  const items = isList(value) ? value : isBranch(value) && Object.keys(value).every((name) => /^\d+$/.test(name)) ? Object.values(value) : [value];
  if (items.length > MAX_REFERENCES) throw new GatewayError('BadParameter', `${path} has more than ${String(MAX_REFERENCES)} references`, { path });
  return items.map((item, i) => readReference(item, items.length === 1 ? path : `${path}.${String(i)}`));
}

function readReference(value: Value, path: string): DataReference {
  const text = typeof value === 'string' ? value.trim() : isBranch(value) ? ofMembers(value) : undefined;
  const scheme = /^([a-z][a-z0-9+]*):\/\/[^\s/]*\/?\S*$/i.exec(text ?? '')?.[1]?.toLowerCase();
  if (text === undefined || text.length > 4096 || scheme === undefined) {
    throw new GatewayError('BadParameter', `${path} must be a URI (${SCHEMES.join(', ')}), or {rucio: "scope:name", rse: NAME}, or {uri: "s3://bucket/key", endpoint: URL}`, { path });
  }
  return { text: scheme + text.slice(scheme.length), path };
}

function ofMembers(branch: Branch): string | undefined {
  const member = (name: string): string | undefined => (typeof branch[name] === 'string' ? branch[name].trim() : undefined);
  if (Object.keys(branch).some((name) => !['rucio', 'rse', 'uri', 'endpoint'].includes(name))) return undefined;
  const [rucio, rse, uri, endpoint] = ['rucio', 'rse', 'uri', 'endpoint'].map(member);
  if (rucio !== undefined) return uri === undefined && /^[^\s:/]+:\S+$/.test(rucio) ? `rucio://${rse ?? ''}/${rucio}` : undefined;
  if (uri === undefined || endpoint === undefined) return uri;
  const host = /^(https?):\/\/([^\s/]+)\/?$/.exec(endpoint);
  const object = /^s3:\/\/(\S+)$/.exec(uri);
  return host === null || object === null ? undefined : `s3+${host[1] ?? ''}://${host[2] ?? ''}/${object[1] ?? ''}`;
}

/** Why the task cannot have its data here: empty = it can. What is not configured is not reached. */
export function dataReasons(references: readonly DataReference[], rules: readonly DataRule[], caller: Caller, where: string): readonly NoReason[] {
  return references.flatMap(({ text, path }) => {
    const reaching = rules.filter(({ patterns }) => patterns.some((pattern) => wildcardMatches(pattern, text)));
    if (reaching.some(({ groups }) => groups === undefined || groups.some((group) => isMember(caller.groups, group)))) return [];
    const shown = JSON.stringify(text.slice(0, 200));
    if (reaching.length > 0) return [{ httpcode: 403, code: 'data.not-authorised', path, text: `Not authorised: ${where} reaches ${shown}, but not for this caller` }];
    return [{ httpcode: 422, code: 'data.unreachable', path, text: `${where} does not reach ${shown}; leave it out, or ask where it is reached` }];
  });
}
