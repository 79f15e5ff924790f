import { expect } from 'chai';
import { parseChallenges } from '../../../src/registry/challenge.ts';

type Plain = readonly (readonly [string, Readonly<Record<string, string>>])[];

/** header, challenges */
const table: readonly (readonly [string | undefined, Plain])[] = [
  [undefined, []],
  ['', []],
  ['Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"', [['bearer', { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull' }]]],
  ['Basic realm="Registry Realm"', [['basic', { realm: 'Registry Realm' }]]],
  ['Basic', [['basic', {}]]],
  ['BEARER REALM=x', [['bearer', { realm: 'x' }]]],
  ['Bearer realm = "x" , service = y', [['bearer', { realm: 'x', service: 'y' }]]],
  ['Basic realm="a", Bearer realm="b",service="c"', [['basic', { realm: 'a' }], ['bearer', { realm: 'b', service: 'c' }]]],
  ['Negotiate, Basic realm="a"', [['negotiate', {}], ['basic', { realm: 'a' }]]],
  ['Bearer realm="a \\"quoted\\" b, Basic c"', [['bearer', { realm: 'a "quoted" b, Basic c' }]]],
  ['Bearer scope="repository:a:pull repository:b:pull"', [['bearer', { scope: 'repository:a:pull repository:b:pull' }]]],
  [' , ,Bearer realm=x,, service=y,', [['bearer', { realm: 'x', service: 'y' }]]],
  // The first of two equal parameters: a later one must not replace what was checked.
  ['Bearer realm=a, realm=b', [['bearer', { realm: 'a' }]]],
  // A parameter before any scheme belongs to nobody.
  ['realm=a, Bearer realm=b', [['bearer', { realm: 'b' }]]],
  // What cannot be read ends the list.
  ['Bearer realm="a', [['bearer', {}]]],
  ['"', []],
  ['Bearer realm=', [['bearer', {}]]],
  ['Bearer realm=a; x', [['bearer', { realm: 'a' }]]],
  [`Bearer realm="${'x'.repeat(10_000)}"`, []],
  [`Bearer realm="${'\\"'.repeat(3000)}`, [['bearer', {}]]],
];

describe('challenges', () => {
  for (const [header, expected] of table) {
    it(JSON.stringify(header?.slice(0, 80) ?? null), () => {
      expect(parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])).to.deep.equal(expected);
    });
  }
});
