import { Builder } from 'xml2js';

/** An element as xml2js builds it: `$` its attributes, `_` its text, the rest its children by name. */
export interface XmlElement {
  readonly $?: Readonly<Record<string, string>>;
  readonly _?: string;
  readonly [child: string]: XmlContent | undefined | Readonly<Record<string, string>>;
}
export type XmlContent = string | XmlElement | readonly (string | XmlElement)[];

/** The namespaces of UWS documents, under the literal prefixes that clients look for (uws.md 2.4, 2.5). */
export const UWS_NAMESPACES: Readonly<Record<string, string>> = {
  'xmlns:uws': 'http://www.ivoa.net/xml/UWS/v1.0',
  'xmlns:xlink': 'http://www.w3.org/1999/xlink',
  'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
};

/** The version of the protocol that every job and job list names (UWS 1.1 §2.2.1). */
export const UWS_VERSION = '1.1';

/** An element without a value (xsi:nil). */
export const NIL: XmlElement = { $: { 'xsi:nil': 'true' } };

const documents = new Builder({ xmldec: { version: '1.0', encoding: 'UTF-8' }, renderOpts: { pretty: false } });
const fragments = new Builder({ headless: true, renderOpts: { pretty: false } });

/** A whole document. Its texts must have gone through `xmlText`. */
export function xmlDocument(root: string, content: XmlElement): string {
  return documents.buildObject({ [root]: content });
}

/** One element without a declaration: a piece of a streamed document. */
export function xmlFragment(name: string, content: XmlElement): string {
  return fragments.buildObject({ [name]: content });
}

/** What XML 1.0 cannot hold in any way, not even escaped (XML 1.0 §2.2). */
const ILLEGAL = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const ALL_ILLEGAL = new RegExp(ILLEGAL, 'gu');

/** Whether XML can hold this text exactly. */
export function isXmlText(text: string): boolean {
  return !ILLEGAL.test(text);
}

/** The text with a replacement character for each that XML cannot hold: any text at all stays well-formed. */
export function xmlText(text: string): string {
  return isXmlText(text) ? text : text.replace(ALL_ILLEGAL, '\ufffd');
}
