import { expect } from 'chai';
import { GatewayError } from '../../../src/errors.ts';
import { FieldTree } from '../../../src/planner/field-tree.ts';
import { type Value } from '../../../src/planner/question.ts';

function tree(...fields: readonly (readonly [string, Value])[]): unknown {
  const built = new FieldTree();
  for (const [name, value] of fields) built.add(name, value);
  return JSON.parse(JSON.stringify(built.root));
}

describe('FieldTree', () => {
  it('makes members of dotted names and lists of repeated ones', () => {
    expect(tree(['a.b', '1'], ['a.c.d', '2'], ['a.b', '3'], ['e[]', '4'], ['e', '5'], ['f[]', '6'])).to.deep.equal({ a: { b: ['1', '3'], c: { d: '2' } }, e: ['4', '5'], f: ['6'] });
  });

  it('adds to members that came as a document', () => {
    expect(tree(['a', { b: '1' }], ['a.c', '2'])).to.deep.equal({ a: { b: '1', c: '2' } });
  });

  it('drops blanks of a folded name', () => {
    expect(tree([' a .\r\n b ', '1'])).to.deep.equal({ a: { b: '1' } });
  });

  for (const names of [['a', 'a.b'], ['a.b', 'a'], ['a.b.c', 'a.b'], ['a.'], ['.a'], ['a..b'], [''], ['a.b.c.d.e.f.g.h.i'], ['a[]', 'a.b']]) {
    it(`refuses ${names.join(' with ')}`, () => {
      expect(() => tree(...names.map((name) => [name, 'x'] as const))).to.throw(GatewayError).with.property('code', 'BadRequest');
    });
  }

  it('has no prototype anywhere', () => {
    const built = new FieldTree();
    built.add('__proto__.polluted', 'x');
    built.add('constructor.prototype.polluted', 'x');
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    expect(Object.keys(built.root)).to.deep.equal(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(built.root)).to.equal(null);
  });
});
