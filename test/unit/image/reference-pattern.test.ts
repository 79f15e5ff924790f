import { expect } from 'chai';
import fc from 'fast-check';
import { GatewayError } from '../../../src/errors.ts';
import { compileReferencePattern } from '../../../src/image/reference-pattern.ts';
import { parseReference } from '../../../src/image/reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** pattern, references that match, references that do not */
const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['ghcr.io/astro/reduce', ['ghcr.io/astro/reduce', 'ghcr.io/astro/reduce:1', `ghcr.io/astro/reduce@${DIGEST}`, 'ghcr.io:443/astro/reduce'], ['ghcr.io/astro/reduce2', 'ghcr.io/astro/reduce/x', 'ghcr.io/xastro/reduce', 'ghcr.io:5000/astro/reduce', 'xghcr.io/astro/reduce', 'astro/reduce']],
  ['ghcr.io/astro/*', ['ghcr.io/astro/a', 'ghcr.io/astro/a:1'], ['ghcr.io/astro/a/b', 'ghcr.io/astro', 'ghcr.io/astrox/a']],
  ['ghcr.io/astro/**', ['ghcr.io/astro/a', 'ghcr.io/astro/a/b/c'], ['ghcr.io/astro', 'ghcr.io/astrox/a', 'ghcr.io/a/astro/b']],
  ['ghcr.io/**', ['ghcr.io/a', 'ghcr.io/a/b/c'], ['ghcr.io.example.org/a', 'a.ghcr.io/a']],
  ['ghcr.io/**/reduce', ['ghcr.io/a/reduce', 'ghcr.io/a/b/reduce', 'ghcr.io/reduce/reduce'], ['ghcr.io/reduce', 'ghcr.io/a/reduce/b', 'ghcr.io/a/xreduce']],
  ['ghcr.io/a/**/b/**/c', ['ghcr.io/a/x/b/y/c', 'ghcr.io/a/x/x/b/b/y/c', 'ghcr.io/a/b/b/b/c'], ['ghcr.io/a/b/c', 'ghcr.io/a/x/b/c', 'ghcr.io/a/b/y/c']],
  ['ghcr.io/a*/b', ['ghcr.io/a/b', 'ghcr.io/abc/b'], ['ghcr.io/ba/b', 'ghcr.io/a/x/b']],
  ['ghcr.io/*-base/x', ['ghcr.io/py-base/x'], ['ghcr.io/base/x', 'ghcr.io/py-base2/x']],
  ['ghcr.io/a*b*c/x', ['ghcr.io/abc/x', 'ghcr.io/aabbcc/x', 'ghcr.io/a1b2b3c/x'], ['ghcr.io/acb/x', 'ghcr.io/abcd/x']],
  ['ghcr.io/a.b/x', ['ghcr.io/a.b/x'], ['ghcr.io/acb/x', 'ghcr.io/a-b/x']],
  ['docker.io/alpine', ['alpine', 'docker.io/library/alpine:3', 'index.docker.io/alpine', 'registry-1.docker.io/library/alpine'], ['someone/alpine', 'ghcr.io/alpine', 'alpine2']],
  ['index.docker.io/alpine', ['alpine'], ['ghcr.io/alpine']],
  ['docker.io/*', ['alpine', 'debian:12'], ['someone/alpine', 'library/a/b']],
  ['docker.io/**', ['alpine', 'someone/alpine', 'a/b/c'], ['ghcr.io/alpine', 'docker.io:5000/alpine']],
  ['docker.io/library/*:3*', ['alpine:3', 'alpine:3.20'], ['alpine', 'alpine:2', 'alpine:x3', `alpine@${DIGEST}`, `alpine:3@${DIGEST}`]],
  ['ghcr.io/a/b:1.*', ['ghcr.io/a/b:1.0', 'ghcr.io/a/b:1.'], ['ghcr.io/a/b:1', 'ghcr.io/a/b:11.0', 'ghcr.io/a/b', 'ghcr.io/a/b:1x0']],
  ['ghcr.io/a/b:latest', ['ghcr.io/a/b'], ['ghcr.io/a/b:Latest']],
  ['localhost:5000/a', ['localhost:5000/a:1'], ['localhost:5001/a', 'localhost/a']],
  ['localhost/a', ['localhost/a', 'localhost:443/a'], ['localhost:5000/a']],
  ['cache:5000/**', ['cache:5000/a/b'], ['cache:5001/a']],
  ['127.0.0.1:5000/**', ['127.0.0.1:5000/a/b'], ['127.0.0.2:5000/a']],
  ['*.example.org/**', ['a.example.org/x', 'b.example.org:443/x/y'], ['example.org/x', 'a.b.example.org/x', 'aexample.org/x', 'a.example.org:5000/x', 'a.example.org.evil.net/x', 'a.example.com/x']],
  ['*.example.org:5000/x', ['a.example.org:5000/x'], ['a.example.org/x', 'example.org:5000/x', 'a.example.org:50000/x']],
  ['example.org/a_b/c', ['example.org/a_b/c'], ['example.org/a/b/c']],
];

/** pattern, part of the reason */
const bad: readonly (readonly [string, string])[] = [
  ['', 'registry host'],
  ['*', 'registry host'],
  ['**', 'registry host'],
  ['alpine', 'registry host'],
  ['astro/*', 'registry host'],
  ['*/astro', 'registry host'],
  ['**/astro', 'registry host'],
  ['*.*/a', 'only possible as its whole first label'],
  ['*.*.org/a', 'only possible as its whole first label'],
  ['a*.example.org/a', 'only possible as its whole first label'],
  ['a.*.org/a', 'only possible as its whole first label'],
  ['example.*/a', 'only possible as its whole first label'],
  ['example.org:*/a', 'only possible as its whole first label'],
  ['*.org/a', 'at least two labels'],
  ['*.org:5000/a', 'at least two labels'],
  ['*.0.0.1/a', 'not an IPv4'],
  ['*.127.0.0.1/a', 'before an address'],
  ['*.docker.io/a', 'one host'],
  ['*.registry-1.docker.io/a', 'one host'],
  ['Example.org/a', 'lower case'],
  ['example.org:0/a', 'port'],
  ['127.1/a', 'not an IPv4'],
  ['[::1]:5000/a', 'IPv6'],
  ['a_b.com/a', 'not a host name'],
  ['https://example.org/a', 'port'],
  ['example.org/', 'empty'],
  ['example.org//a', 'empty'],
  ['example.org/a/', 'empty'],
  ['example.org/A', 'lower case'],
  ['example.org/a**', 'whole component'],
  ['example.org/**a/b', 'whole component'],
  ['example.org/***', 'whole component'],
  ['example.org/a?', 'may have'],
  ['example.org/[ab]', 'may have'],
  ['example.org/{a,b}', 'may have'],
  ['example.org/a b', 'may have'],
  ['example.org/a:', 'the tag'],
  ['example.org/a:[12]', 'the tag'],
  ['example.org/a:b:c', 'the tag'],
  [`example.org/a@${DIGEST}`, 'digests'],
  [`example.org/${'a'.repeat(600)}`, 'longer'],
];

describe('image patterns of a policy', () => {
  for (const [pattern, yes, no] of table) {
    describe(pattern, () => {
      const compiled = compileReferencePattern(pattern);
      for (const text of yes) it(`matches ${text}`, () => expect(compiled.matches(parseReference(text))).to.equal(true));
      for (const text of no) it(`does not match ${text}`, () => expect(compiled.matches(parseReference(text))).to.equal(false));
    });
  }

  for (const [pattern, reason] of bad) {
    it(`${JSON.stringify(pattern.slice(0, 60))} is refused: ${reason}`, () => {
      expect(() => compileReferencePattern(pattern)).to.throw(GatewayError, reason).with.property('code', 'BadReference');
    });
  }

  it('keeps the text of the policy', () => expect(compileReferencePattern('ghcr.io/a/*').text).to.equal('ghcr.io/a/*'));

  it('agree with a regular expression on any path (property)', () => {
    const component = fc.constantFrom('a', 'b', 'ab', 'aab', 'ba');
    const patternComponent = fc.constantFrom('a', 'b', '*', 'a*', '*b', 'a*b', '**');
    fc.assert(
      fc.property(
        fc.array(patternComponent, { minLength: 1, maxLength: 6 }),
        fc.array(component, { minLength: 1, maxLength: 8 }),
        (pattern, path) => {
          const source = pattern.map((part) => (part === '**' ? '[^/]+(?:/[^/]+)*' : part.replaceAll('*', '[^/]*'))).join('/');
          const expected = new RegExp(`^${source}$`).test(path.join('/'));
          const reference = parseReference(`example.org/${path.join('/')}`);
          return compileReferencePattern(`example.org/${pattern.join('/')}`).matches(reference) === expected;
        },
      ),
      { numRuns: 3000 },
    );
  });
});
