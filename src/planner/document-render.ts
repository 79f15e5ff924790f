import { dump } from 'js-yaml';
import { Builder } from 'xml2js';
import { GatewayError } from '../errors.ts';
import { preferences } from '../http/negotiate.ts';
import type { Field } from '../http/request-body.ts';
import type { Document } from './answer-document.ts';
import type { Info } from './offer.ts';

export type Format = 'json' | 'yaml' | 'xml';

/** The namespace of answers in XML; its schema is docs/planner.xsd. */
export const PLANNER_NAMESPACE = 'https://pratique.dev/ns/planner/1.0';

const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  yaml: 'application/yaml; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
};

/**
 * The format of an answer: `format` or RESPONSEFORMAT (DALI 1.1 §3.4.3) of the query, else what Accept prefers most (note §9.2; a
 * header `Accepts`, as the note calls it, where the right one says nothing), else JSON. Never 406. Throws BadParameter.
 */
export function formatOf(query: readonly Field[], headers: Readonly<Record<string, string | string[] | undefined>>): Format {
  const asked = query.find(({ name }) => /^(?:response)?format$/i.test(name))?.value;
  if (asked !== undefined) return namedFormat(asked);
  const { accept, accepts } = headers;
  const says = typeof accept === 'string' && accept.trim() !== '*/*' ? accept : typeof accepts === 'string' ? accepts : undefined;
  const { json, yaml, xml } = preferences(says);
  if (json >= yaml && json >= xml) return 'json';
  return yaml >= xml ? 'yaml' : 'xml';
}

function namedFormat(text: string): Format {
  const name = text.trim().toLowerCase().replace(/\s*;.*$/s, '');
  const match = /^(?:(?:application|text)\/(?:x-)?)?(json|yaml|xml)$/.exec(name);
  if (match !== null) return match[1] as Format;
  throw new GatewayError('BadParameter', 'the format must be json, yaml or xml', { path: 'format' });
}

/** The document's bytes and their media type. */
export function renderDocument(document: Document, format: Format): { readonly text: string; readonly mediaType: string } {
  const text = format === 'json' ? `${JSON.stringify(document, undefined, 2)}\n` : format === 'yaml' ? yaml(document) : xml(document);
  return { text, mediaType: MEDIA_TYPES[format] };
}

/** Every text in quotes: a bare NO is false to YAML 1.1 readers (execution-planner.md 1.5, 25). */
function yaml(document: Document): string {
  return dump(document, { forceQuotes: true, quoteStyle: 'double', lineWidth: -1, noRefs: true });
}

const builder = new Builder({ xmldec: { version: '1.0', encoding: 'UTF-8' } });

/** Names of the items of a list: the singular of what people read; any other list has items. */
const SINGULAR: Readonly<Record<string, string>> = {
  interfaces: 'interface', reasons: 'reason', warnings: 'warning', languages: 'language', services: 'service', peers: 'peer', tasktypes: 'tasktype', servicetypes: 'servicetype',
};

type XmlNode = string | { readonly [name: string]: XmlNode | readonly XmlNode[] | Readonly<Record<string, string>> };

/** Member names are element names; a list is an element that has one for each of its items. */
function xml(document: Document): string {
  return `${builder.buildObject({ answer: { $: { xmlns: PLANNER_NAMESPACE }, ...members(document) } })}\n`;
}

function members(document: Document): Record<string, XmlNode> {
  return Object.fromEntries(Object.entries(document).map(([name, value]) => [name, node(name, value)]));
}

function node(name: string, value: Info): XmlNode {
  if (isInfoList(value)) return { [SINGULAR[name] ?? 'item']: value.map((item) => node('', item)) };
  if (typeof value === 'object') return members(value);
  return legal(String(value));
}

function isInfoList(value: Info): value is readonly Info[] {
  return Array.isArray(value);
}

/** What XML 1.0 cannot hold in any way (§2.2) becomes a replacement character. */
function legal(text: string): string {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
