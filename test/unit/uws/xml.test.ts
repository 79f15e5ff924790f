import { expect } from 'chai';
import fc from 'fast-check';
import { parseXml } from '../../support/uws-documents.ts';
import { isXmlText, xmlDocument, xmlText } from '../../../src/uws/xml.ts';

describe('text in XML 1.0', () => {
  it('knows what XML cannot hold', () => {
    for (const legal of ['', '\t\n\r', ' ~', '\u007f\u0085', '\ud7ff', '\ue000\ufffd', '\u{10000}\u{10ffff}']) expect(isXmlText(legal), JSON.stringify(legal)).to.equal(true);
    for (const illegal of ['\0', '\u0008', '\u000b', '\u000c', '\u000e', '\u001f', '\ufffe', '\uffff', '\ud800', '\udc00', '\udc00\ud800']) expect(isXmlText(`a${illegal}b`), JSON.stringify(illegal)).to.equal(false);
  });

  it('any text at all makes a well-formed document, and legal text comes back exactly', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const root = await parseXml(xmlDocument('a', { $: { b: xmlText(text) }, c: xmlText(text) }));
        if (!isXmlText(text)) return;
        expect(root.attributes.b).to.equal(text);
        // the reader used here drops elements of nothing but blanks
        if (text.trim() !== '') expect(root.children[0]?.text).to.equal(text);
      }),
      { numRuns: 500 },
    );
  });
});
