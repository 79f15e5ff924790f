import { expect } from 'chai';
import { readComposeYaml } from '../../../src/compose/compose-yaml.ts';
import { Reading } from '../../../src/compose/reading.ts';

type Method = 'flag' | 'integer' | 'decimal' | 'size' | 'duration' | 'mode' | 'words' | 'text';

function read(method: Method, yaml: string): unknown {
  const node = readComposeYaml(`x: ${yaml}`).root.entries.get('x');
  const reading = new Reading();
  const said = reading[method](node);
  return reading.problems.length > 0 ? 'wrong' : said?.value;
}

/** compose-go's casts, after interpolation. */
const CASTS: readonly (readonly [Method, yaml: string, value: unknown])[] = [
  ...['true', 'True', 'TRUE', '"true"', 'yes', 'YES', 'y', 'Y', 'on', 'On', 't', '1', '"1"'].map((yaml) => ['flag', yaml, true] as const),
  ...['false', 'False', '"false"', 'no', 'N', 'off', 'OFF', 'f', '0', '"0"'].map((yaml) => ['flag', yaml, false] as const),
  ...['2', 'maybe', '""', '[true]', '{a: 1}', 'truee', '" true"'].map((yaml) => ['flag', yaml, 'wrong'] as const),
  ['flag', '~', undefined],
  ['integer', '5', 5],
  ['integer', '"5"', 5],
  ['integer', '-5', -5],
  ['integer', '"+5"', 5],
  ['integer', '5.5', 'wrong'],
  ['integer', '5e3', 5000],
  ['integer', '"5e3"', 'wrong'],
  ['integer', '"0x10"', 'wrong'],
  ['integer', 'true', 'wrong'],
  ['decimal', '0.5', 0.5],
  ['decimal', '"0.5"', 0.5],
  ['decimal', '".5"', 'wrong'],
  ['decimal', '"1e9"', 'wrong'],
  ['size', '1024', 1024],
  ['size', '"1024"', 1024],
  ['size', '1k', 1024],
  ['size', '1KB', 1024],
  ['size', '1kib', 1024],
  ['size', '2m', 2 * 2 ** 20],
  ['size', '1.5g', 1.5 * 2 ** 30],
  ['size', '1 GB', 2 ** 30],
  ['size', '1t', 2 ** 40],
  ['size', '100b', 100],
  ['size', '-1', -1],
  ['size', '"-1"', -1],
  ['size', '-2', 'wrong'],
  ['size', '99999999p', 'wrong'],
  ['size', '1x', 'wrong'],
  ['size', 'k', 'wrong'],
  ['duration', '30s', 30_000],
  ['duration', '1m30s', 90_000],
  ['duration', '1h', 3_600_000],
  ['duration', '1h1m1s1ms1us', 3_661_001.001],
  ['duration', '500ms', 500],
  ['duration', '1.5s', 1500],
  ['duration', '0', 0],
  ['duration', '5', 'wrong'],
  ['duration', '5 s', 'wrong'],
  ['duration', '1d', 'wrong'],
  ['duration', '""', 'wrong'],
  ['duration', '1s1m', 'wrong'],
  ['mode', '"0440"', 0o440],
  ['mode', '"440"', 0o440],
  ['mode', '"0o440"', 0o440],
  ['mode', '0o440', 0o440],
  // 288, and 440 in decimal: nobody can know which was meant
  ['mode', '440', 'wrong'],
  ['mode', '0440', 'wrong'],
  ['mode', '"999"', 'wrong'],
  ['mode', '9999', 'wrong'],
  ['words', '[a, b c, "5"]', ['a', 'b c', '5']],
  ['words', '[a, 5, true]', ['a', '5', 'true']],
  ['words', 'a "b c" d', ['a', 'b c', 'd']],
  ['words', "a 'b c' $(x) `y`", ['a', 'b c', '$(x)', '`y`']],
  ['words', '"a \\"b"', 'wrong'],
  ['words', 'a; b', 'wrong'],
  ['words', '[a, 010]', 'wrong'],
  ['words', '[a, "010"]', ['a', '010']],
  ['words', '[a, [b]]', 'wrong'],
  ['words', '{a: b}', 'wrong'],
  ['words', '""', []],
  ['text', '5', '5'],
  ['text', '022', 'wrong'],
  ['text', '-022', 'wrong'],
  ['text', '"022"', '022'],
  ['text', '0', '0'],
  ['text', '0.5', '0.5'],
  ['integer', '010', 'wrong'],
  ['text', 'true', 'true'],
  ['text', '1.10', '1.1'],
  ['text', '[a]', 'wrong'],
];

describe('casts', () => {
  for (const [method, yaml, value] of CASTS) {
    it(`${method} ${yaml} is ${JSON.stringify(value)}`, () => {
      expect(read(method, yaml)).to.deep.equal(value);
    });
  }

  it('says what form a value should have, and where', () => {
    const reading = new Reading();
    const root = readComposeYaml('services:\n  web:\n    scale: many\n').root;
    const services = root.entries.get('services');
    const web = services?.kind === 'map' ? services.entries.get('web') : undefined;
    reading.integer(web?.kind === 'map' ? web.entries.get('scale') : undefined);
    expect(reading.problems).to.deep.equal([{ code: 'compose.form', path: ['services', 'web', 'scale'], line: 3, text: 'services.web.scale must be a whole number' }]);
  });
});
