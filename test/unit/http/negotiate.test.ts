import { expect } from 'chai';
import { preferences, prefersJson } from '../../../src/http/negotiate.ts';

describe('content negotiation (RFC 9110 §12.5.1)', () => {
  const table: readonly [string | undefined, 'xml' | 'json' | 'html'][] = [
    [undefined, 'xml'], ['', 'xml'], ['*/*', 'xml'], ['nonsense', 'xml'], ['image/png', 'xml'], ['text/xml', 'xml'], ['application/*', 'xml'], ['text/*', 'xml'],
    ['application/json', 'json'], ['APPLICATION/JSON', 'json'], ['application/json;q=0.5', 'json'], ['application/json, */*;q=0.1', 'json'], ['application/problem+json', 'json'],
    ['application/json, application/xml', 'xml'], ['application/json, text/xml;q=0.9', 'json'], ['application/json, text/plain, */*', 'json'], ['application/json, */*', 'json'], ['*/*, application/json;q=0.9', 'xml'], ['application/json;q=0.999, */*', 'xml'], ['application/json, application/*', 'json'], ['text/xml, application/json, */*', 'xml'], ['text/xml, */*', 'xml'], ['application/json;q=0.5, application/xml;q=0.4', 'json'],
    ['application/json;q=0', 'xml'], ['application/json;q=nonsense', 'xml'], ['application/json;q=2', 'xml'], ['application/json ; Q=0.9', 'json'],
    ['text/html', 'html'], ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'html'], ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', 'xml'],
    ['text/html,application/xml;q=0.9,*/*;q=0.8', 'xml'], ['application/xml,text/html', 'xml'], ['application/xhtml+xml;q=0.5, text/xml', 'xml'],
  ];
  for (const [accept, expected] of table) {
    it(`${String(accept)} -> ${expected}`, () => {
      const { xml, json, html } = preferences(accept);
      expect(json > xml && json >= html ? 'json' : html > xml ? 'html' : 'xml').to.equal(expected);
    });
  }

  it('takes JSON for text only where plain text is wanted less', () => {
    expect(['application/json', 'application/json, text/plain', 'text/plain;q=0.5, application/json', '*/*', undefined].map(prefersJson)).to.deep.equal([true, false, true, false, false]);
  });
});
