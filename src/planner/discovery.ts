import type { Handler } from '../http/handler.ts';
import type { AcceptsParts } from './accepts.ts';
import { servedDocument } from './answer-document.ts';
import { renderDocument } from './document-render.ts';

/** `GET /services.json`: what can be asked for here, for portals without a registry (note §8.2). Always JSON, as its name says. */
export function listServices({ planner, url }: AcceptsParts): Handler {
  return function answerServices(ctx) {
    const { text, mediaType } = renderDocument(servedDocument(planner.platforms, url), 'json');
    ctx.res.setHeader('Content-Type', mediaType);
    ctx.body = text;
  };
}
