import type { Context } from 'koa';
import { GatewayError } from '../errors.ts';
import type { Handler } from '../http/handler.ts';
import { type ByteRange, parseRange } from '../http/range.ts';
import { ENDPOINTS } from '../execution/job-results.ts';
import type { Job, Result } from '../job/job.ts';
import { goneSignal } from './gone-signal.ts';
import { answerLive } from './live-result.ts';
import { serveAsFile } from './job-fields.ts';
import type { UwsParts } from './parts.ts';
import { pathParameter } from './path-parameter.ts';
import { resultIdOf } from './result-id.ts';
import { readerOf } from './result-link.ts';

/**
 * `GET {job}/results/{id}`: the bytes, or the range asked for. The id is looked up in the job's own list and never joined to a
 * path. Always an attachment, in a sandbox: the bytes are a stranger's.
 */
export function getResult(parts: UwsParts): Handler {
  const { service } = parts;
  return async function getResult(ctx) {
    const id = pathParameter(ctx, 'id');
    const wanted = resultIdOf(ctx);
    const caller = readerOf(ctx, parts, id, wanted);
    const job = await service.get(id, caller);
    const result = job.results.find((each) => each.id === wanted);
    if (result === undefined) throw new GatewayError('NotFound', 'the job has no such result');
    setResultHeaders(ctx, result);
    const open = async (range?: ByteRange) => (await service.openResult(id, result.id, caller, range)).content;
    if (result.size === undefined && ENDPOINTS.includes(result.id)) return void (ctx.body = await endpointsDocument(parts, job, goneSignal(ctx)));
    if (result.size === undefined) return answerLive(ctx, await open());
    if (isKnown(ctx, result)) return void (ctx.status = 304);
    const range = appliesRange(ctx, result) ? parseRange(ctx.req.headers.range, result.size) : undefined;
    ctx.body = await open(range);
    ctx.status = range === undefined ? 200 : 206;
    ctx.length = range === undefined ? result.size : range.end - range.start + 1;
    if (range !== undefined) ctx.res.setHeader('Content-Range', `bytes ${String(range.start)}-${String(range.end)}/${String(result.size)}`);
  };
}

/** Where the job serves, and whether it does already. */
async function endpointsDocument({ service, urls }: UwsParts, job: Job, signal: AbortSignal): Promise<string> {
  const endpoints = (await service.endpoints.states(job, signal)).map((each) => ({ ...each, url: urls.endpoint(job.id, each.service, each.port) }));
  return `${JSON.stringify({ endpoints }, undefined, 2)}\n`;
}

function setResultHeaders(ctx: Context, result: Result): void {
  const name = result.id.slice(result.id.lastIndexOf('/') + 1);
  serveAsFile(ctx);
  ctx.res.setHeader('Content-Disposition', `attachment; filename="${name.replace(/[^\w.-]/g, '_')}"; filename*=UTF-8''${encodeExtended(name)}`);
  ctx.res.setHeader('Content-Type', result.mediaType);
  ctx.res.setHeader('Accept-Ranges', 'bytes');
  if (result.digest === undefined) return;
  ctx.res.setHeader('ETag', etagOf(result));
  ctx.res.setHeader('Repr-Digest', `sha-256=:${Buffer.from(result.digest.slice('sha256:'.length), 'hex').toString('base64')}:`);
}

/** RFC 8187: percent-encoded UTF-8, also of characters that encodeURIComponent leaves. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(/['()*!]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function etagOf({ digest }: Result): string {
  return `"${String(digest)}"`;
}

function isKnown(ctx: Context, result: Result): boolean {
  const tags = ctx.req.headers['if-none-match'];
  if (tags === undefined || result.digest === undefined) return false;
  return tags.trim() === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etagOf(result));
}

/** If-Range: the range only if the client's other bytes are of the same file. */
function appliesRange(ctx: Context, result: Result): boolean {
  const condition = ctx.req.headers['if-range'];
  return condition === undefined || (result.digest !== undefined && condition === etagOf(result));
}
