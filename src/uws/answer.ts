import type { Context } from 'koa';
import { PAGE_POLICY } from './html.ts';
import { representationOf } from './representation.ts';

const TYPES = {
  xml: 'text/xml; charset=utf-8',
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  text: 'text/plain; charset=utf-8',
} as const;

/** Answers with a document. text/xml and not application/xml: some clients compare it for equality (uws.md 2.6). */
export function answer(ctx: Context, type: keyof typeof TYPES, body: string | Buffer): void {
  ctx.status = 200;
  ctx.body = body;
  ctx.res.setHeader('Content-Type', TYPES[type]);
  if (type === 'html') ctx.res.setHeader('Content-Security-Policy', PAGE_POLICY);
}

/** Answers with an atom: plain text without a newline, or the same as a JSON value for those who prefer that (null = empty text). */
export function answerAtom(ctx: Context, value: string | number | null): void {
  if (representationOf(ctx, 'text') === 'json') answer(ctx, 'json', JSON.stringify(value));
  else answer(ctx, 'text', String(value ?? ''));
}

/** 303 See Other: how UWS answers every change (UWS 1.1 §2.2). */
export function seeOther(ctx: Context, url: string): void {
  ctx.status = 303;
  ctx.res.setHeader('Location', url);
  ctx.body = '';
  ctx.res.removeHeader('Content-Type');
}
