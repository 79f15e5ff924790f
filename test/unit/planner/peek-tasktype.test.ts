import { expect } from 'chai';
import fc from 'fast-check';
import { dump, FAILSAFE_SCHEMA, load } from 'js-yaml';
import { parseContentType } from '../../../src/http/request-body.ts';
import { peekTasktype } from '../../../src/planner/peek-tasktype.ts';

const peek = (text: string, type?: string): string | undefined => peekTasktype(Buffer.from(text), type === undefined ? undefined : parseContentType(type));
const FORM = 'application/x-www-form-urlencoded';

describe('peekTasktype', () => {
  for (const [text, type] of [
    ['tasktype: uri://a\nb', undefined], ['# x\ntasktype: uri://a # y\n\nb', undefined], ['---\ntasktype: "uri://a"\r\nx: [', undefined], ["taskinfo: {}\n'tasktype': 'uri://a'\n{{{", undefined], ['{"tasktype":"uri://a","x":', 'application/json'], ['\n{ tasktype : "uri://a" }', undefined],
    ['tasktype=uri://a&x=%ZZ', FORM], ['x=%ZZ&TaskType=uri%3A%2F%2Fa&', FORM], ['--b\n\nx\n--b', 'multipart/form-data; boundary=c'],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(peek(text, type)).to.equal(type?.startsWith('multipart') === true ? undefined : 'uri://a');
    });
  }

  for (const [text, type] of [
    ['tasktype: uri://a', undefined], ['tasktype: uri://a\n', undefined], ['tasktype: uri://a\n\n  b\n', undefined], ['tasktype: |\n  uri://a\nx', undefined], ['tasktype: &x uri://a\nx', undefined], ['x:\n  tasktype: uri://a\nx', undefined], ['{"x":{"tasktype":"uri://a"}}', undefined], ['{"tasktype":"uri:\\/\\/a"}', undefined], ['tasktype=uri://a', FORM], ['tasktype: [uri://a]\nx', undefined], ['tasktype: uri://a', 'text/yaml'],
  ] as const) {
    it(`leaves ${JSON.stringify(text)} to be parsed`, () => {
      expect(peek(text, type)).to.equal(undefined);
    });
  }

  it('never says anything else than the parser', () => {
    const text = fc.oneof(fc.constantFrom('uri://a', 'http://a/b#c', 'a:', 'a #b', 'tasktype: uri://b', 'a\ntasktype: uri://b\n', '"', "it's", '# x', '', 'NO', '1', '-', '{', 'a: b', 'x\n\ny'), fc.string());
    const question = fc.tuple(fc.dictionary(fc.constantFrom('taskinfo', 'a', 'tasktyp', 'xtasktype', 'z'), fc.oneof(text, fc.dictionary(fc.constantFrom('tasktype', 'b'), text), fc.array(text))), text, fc.boolean());
    const style = fc.record({ flowLevel: fc.constantFrom(-1, 0, 1), forceQuotes: fc.boolean(), quoteStyle: fc.constantFrom('single' as const, 'double' as const), lineWidth: fc.constantFrom(10, 80, -1) });
    fc.assert(
      fc.property(question, style, fc.boolean(), ([rest, tasktype, first], options, json) => {
        const document = first ? { tasktype, ...rest } : { ...rest, tasktype };
        const written = json ? JSON.stringify(document) : dump(document, options);
        const early = peek(written);
        if (early === undefined) return;
        const { tasktype: real } = load(written, { schema: FAILSAFE_SCHEMA }) as { readonly tasktype: unknown };
        expect(early, written).to.equal(typeof real === 'string' ? real.trim() : real);
      }),
      { numRuns: 3000 },
    );
  });

  it('takes linear time', function () {
    this.timeout(1000);
    for (const text of [' '.repeat(65_536), '\n'.repeat(65_536), `{${' '.repeat(65_000)}`, 'tasktype: '.repeat(6000), `tasktype:${' '.repeat(65_000)}`, `${'tasktype: x '.repeat(5000)}`, 'tasktype:\t\n'.repeat(6000)]) peek(text);
  });
});
