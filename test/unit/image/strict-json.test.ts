import { expect } from 'chai';
import fc from 'fast-check';
import { CONFIG_SHAPE, MANIFEST_SHAPE } from '../../../src/image/document-shapes.ts';
import { ImageUnacceptable } from '../../../src/image/image-unacceptable.ts';
import { parseStrictJson, struct, UNKNOWN, type Shape } from '../../../src/image/strict-json.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

function codeOf(document: string | Uint8Array, shape: Shape): string {
  try {
    parseStrictJson(typeof document === 'string' ? bytes(document) : document, shape, 'document');
    return 'ok';
  } catch (error) {
    if (error instanceof ImageUnacceptable) return error.code;
    throw error;
  }
}

/** title, document, shape, answer */
const table: readonly (readonly [string, string | Uint8Array, Shape, string])[] = [
  // What an image can show us while the engine runs another one: measured, images-and-compose.md F1.
  ['f12: rootfs beside RootFS', '{"rootfs":{"type":"layers"},"RootFS":{"type":"layers"}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f12 alone: RootFS instead of rootfs', '{"RootFS":{"type":"layers"}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f12: History', '{"History":[]}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f13: rootfs with a long s', '{"root\u017fs":1}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f13: rootfſ', '{"rootf\u017f":{"diff_ids":[]}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f13 escaped', '{"rootf\\u017f":{"diff_ids":[]}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['Kelvin sign for k', '{"config":{"\u212Aernel":1}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['usercase: User and user', '{"config":{"User":"1000","user":"0"}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['usercase alone', '{"config":{"user":"0"}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['usercase, escaped', '{"config":{"\\u0075ser":"0"}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f11: ENTRYPOINT', '{"config":{"Entrypoint":["/a"],"ENTRYPOINT":["/b"]}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['f14: config twice', '{"config":{"Entrypoint":["/a"]},"config":{"Cmd":["/b"]}}', CONFIG_SHAPE, 'image.duplicate-key'],
  ['f14 with an escape', '{"config":{},"c\\u006fnfig":{}}', CONFIG_SHAPE, 'image.duplicate-key'],
  ['f10: config and Config', '{"config":{"digest":"a"},"Config":{"digest":"b"}}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['a layer with Digest', '{"layers":[{"digest":"a","Digest":"b"}]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['a layer with URLs', '{"layers":[{"URLs":["http://x"]}]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['Manifests in a manifest', '{"layers":[],"Manifests":[]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['FSLayers', '{"FSLayers":[]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['SchemaVersion', '{"SchemaVersion":1}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['Platform of an entry', '{"manifests":[{"Platform":{}}]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['OS of a platform', '{"manifests":[{"platform":{"OS":"linux"}}]}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['Os of a configuration', '{"OS":"linux"}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['Diff_IDs', '{"rootfs":{"Diff_IDs":[]}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['Empty_Layer in a later step', '{"history":[{"empty_layer":true},{"Empty_layer":true}]}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['test of a healthcheck', '{"config":{"Healthcheck":{"test":["NONE"]}}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['labels of a configuration', '{"config":{"labels":{}}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['Annotations of a manifest', '{"Annotations":{}}', MANIFEST_SHAPE, 'image.ambiguous-key'],
  ['equal keys in an unknown object', '{"x":{"a":1,"a":2}}', CONFIG_SHAPE, 'image.duplicate-key'],
  ['folding keys in an unknown object', '{"x":{"a":1,"A":2}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['non-ASCII key in an unknown object', '{"x":{"é":1}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['control character in a key', '{"a\\u0000":1}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['__proto__', '{"__proto__":{"config":1}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['__proto__ as a label', '{"config":{"Labels":{"__proto__":"x"}}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['equal keys in an array of arrays', '[[{"a":1,"a":1}]]', UNKNOWN, 'image.duplicate-key'],
  // Map-like objects keep their keys, equal ones excepted.
  ['labels that differ in case', '{"config":{"Labels":{"a":"1","A":"2","é":"3"}}}', CONFIG_SHAPE, 'ok'],
  ['equal labels', '{"config":{"Labels":{"a":"1","a":"2"}}}', CONFIG_SHAPE, 'image.duplicate-key'],
  ['equal labels, one escaped', '{"config":{"Labels":{"a":"1","\\u0061":"2"}}}', CONFIG_SHAPE, 'image.duplicate-key'],
  ['volumes that differ in case', '{"config":{"Volumes":{"/A":{},"/a":{}}}}', CONFIG_SHAPE, 'ok'],
  ['ports', '{"config":{"ExposedPorts":{"80/tcp":{},"80/TCP":{}}}}', CONFIG_SHAPE, 'ok'],
  ['annotations at every level', '{"annotations":{"a":"","A":""},"manifests":[{"annotations":{"ü":"","Ü":""}}]}', MANIFEST_SHAPE, 'ok'],
  ['a label called config', '{"config":{"Labels":{"config":"","Config":""}}}', CONFIG_SHAPE, 'ok'],
  ['Labels outside of config are no map', '{"Labels":{"a":1,"A":2}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  ['an object within labels is no map', '{"config":{"Labels":{"a":{"b":1,"B":2}}}}', CONFIG_SHAPE, 'image.ambiguous-key'],
  // Bytes.
  ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), CONFIG_SHAPE, 'image.malformed'],
  ['overlong UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), CONFIG_SHAPE, 'image.malformed'],
  ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), CONFIG_SHAPE, 'image.malformed'],
  ['a byte order mark', '\ufeff{}', CONFIG_SHAPE, 'image.malformed'],
  ['UTF-16', Buffer.from('{}', 'utf16le'), CONFIG_SHAPE, 'image.malformed'],
  ['half a surrogate pair in a value', '{"a":"\\ud800"}', CONFIG_SHAPE, 'image.malformed'],
  ['half a surrogate pair in a label', '{"config":{"Labels":{"\\ud800":"","\\ud801":""}}}', CONFIG_SHAPE, 'image.malformed'],
  ['a whole surrogate pair', '{"a":"\\ud83d\\ude00"}', CONFIG_SHAPE, 'ok'],
  ['nothing', '', CONFIG_SHAPE, 'image.malformed'],
  ['two values', '{}{}', CONFIG_SHAPE, 'image.malformed'],
  ['a trailing comma', '{"a":1,}', CONFIG_SHAPE, 'image.malformed'],
  ['a comment', '{/**/}', CONFIG_SHAPE, 'image.malformed'],
  ['an unfinished string', '{"a', CONFIG_SHAPE, 'image.malformed'],
  ['single quotes', "{'a':1}", CONFIG_SHAPE, 'image.malformed'],
  ['a raw line break in a string', '{"a":"\n"}', CONFIG_SHAPE, 'image.malformed'],
  ['a wrong escape', '{"a":"\\x"}', CONFIG_SHAPE, 'image.malformed'],
  ['NaN', '{"a":NaN}', CONFIG_SHAPE, 'image.malformed'],
  ['a number with a leading zero', '{"a":01}', CONFIG_SHAPE, 'image.malformed'],
  ['depth 32', '['.repeat(32) + ']'.repeat(32), UNKNOWN, 'ok'],
  ['depth 33', '['.repeat(33) + ']'.repeat(33), UNKNOWN, 'image.malformed'],
  ['depth 1000000', '{"a":'.repeat(1_000_000), UNKNOWN, 'image.malformed'],
  ['brackets in strings', '{"a":"[[[{{{","b":"}}}]]]\\"{","c":["\\\\"]}', UNKNOWN, 'ok'],
  ['escaped quotes without end', `"${'\\"'.repeat(500_000)}`, UNKNOWN, 'image.malformed'],
  ['a key that is a value elsewhere', '{"a":"b","b":"a","c":["a","a"]}', UNKNOWN, 'ok'],
  ['a string after a nested object is no key', '{"a":{"b":1},"c":["x",{"x":1},"x"]}', UNKNOWN, 'ok'],
];

describe('strict JSON', () => {
  for (const [title, document, shape, answer] of table) {
    it(`${title}: ${answer}`, () => expect(codeOf(document, shape)).to.equal(answer));
  }

  it('gives the value where nothing is wrong', () => {
    const document = { os: 'linux', config: { Labels: { a: '1' }, Env: ['A=b'] }, rootfs: { type: 'layers', diff_ids: [] } };
    expect(parseStrictJson(bytes(JSON.stringify(document)), CONFIG_SHAPE, 'document')).to.deep.equal(document);
  });

  it('names the document and the key, escaped', () => {
    expect(() => parseStrictJson(bytes('{"rootf\u017f":1}'), CONFIG_SHAPE, 'configuration'))
      .to.throw(ImageUnacceptable, 'the configuration has the key "rootf\\u017f", which is not plain ASCII');
  });

  it('accepts whatever JSON.stringify writes of distinct keys (property)', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'config_x', 'd"e', 'f\\', '{', ':', 'g,');
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, fc.string(), fc.integer(), fc.constant(null), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(key, tie('value'), { maxKeys: 4 })),
    })).value;
    fc.assert(fc.property(value, (document) => {
      expect(parseStrictJson(bytes(JSON.stringify(document)), UNKNOWN, 'document')).to.deep.equal(JSON.parse(JSON.stringify(document)));
    }));
  });

  it('finds an equal key at any place (property)', () => {
    const shape = struct({ known: UNKNOWN });
    fc.assert(fc.property(fc.array(fc.constantFrom('[', '{"k":'), { maxLength: 20 }), fc.boolean(), (nest, fold) => {
      const close = nest.map((open) => (open === '[' ? ']' : '}')).reverse().join('');
      const document = `${nest.join('')}{"a":[{}],"x":1,"${fold ? 'X' : 'x'}":2}${close}`;
      return codeOf(document, shape) === (fold ? 'image.ambiguous-key' : 'image.duplicate-key');
    }));
  });
});
