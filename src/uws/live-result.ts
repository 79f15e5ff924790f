import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import { parseRange } from '../http/range.ts';

/** Bytes of one range of a growing result at most: it is held in memory, because its end must be known before it is sent. */
const LONGEST_RANGE = 1024 * 1024;

/**
 * What a running job has written so far, or a range of it: whole without a length, as a range with the length `*`, because it
 * grows. A client that asks from where it stopped reads it to its end piece by piece; where there is no more yet, 416.
 */
export async function answerLive(ctx: Context, content: Readable): Promise<void> {
  const asked = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(ctx.req.headers.range?.trim() ?? '');
  const start = Number(asked?.[1]);
  if (asked === null || (asked[2] !== '' && Number(asked[2]) < start)) {
    ctx.body = content;
    return;
  }
  const { size, kept } = await readFrom(content, start);
  const end = parseRange(ctx.req.headers.range, size)?.end ?? start;
  const bytes = kept.subarray(0, end - start + 1);
  ctx.body = bytes;
  ctx.status = 206;
  ctx.res.setHeader('Content-Range', `bytes ${String(start)}-${String(start + bytes.length - 1)}/*`);
}

async function readFrom(content: Readable, start: number): Promise<{ readonly size: number; readonly kept: Buffer }> {
  const chunks: Buffer[] = [];
  let size = 0;
  let kept = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(Math.max(0, start - size), Math.max(0, start - size) + Math.max(0, LONGEST_RANGE - kept));
    size += chunk.length;
    kept += piece.length;
    chunks.push(piece);
  }
  return { size, kept: Buffer.concat(chunks) };
}
