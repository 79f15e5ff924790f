import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { GatewayError } from '../../../src/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import {
  familiarReference,
  formatReference,
  parseDomain,
  parseReference,
  pinnedReference,
} from '../../../src/image/reference.ts';

/** `normalized` or (part of) the reason for the refusal; `note` where the answer needs one. */
interface Row {
  readonly input: string;
  readonly normalized?: string;
  readonly error?: string;
  readonly note?: string;
}

const table = new URL('../../../fixtures/references.json', import.meta.url);
const rows = JSON.parse(readFileSync(table, 'utf8')) as readonly Row[];

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'BadReference') return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('image references (fixtures/references.json)', () => {
  it('has several hundred rows, each with one answer', () => {
    expect(rows.length).to.be.greaterThan(600);
    expect(rows.filter((row) => (row.normalized === undefined) === (row.error === undefined))).to.deep.equal([]);
  });

  for (const [i, row] of rows.entries()) {
    const title = `${i}: ${JSON.stringify(row.input.slice(0, 90))}`;
    if (row.normalized !== undefined) {
      it(`${title} is ${row.normalized.slice(0, 90)}`, () => {
        expect(formatReference(parseReference(row.input))).to.equal(row.normalized);
      });
    } else {
      it(`${title} is refused: ${row.error}`, () => {
        expect(refusal(() => parseReference(row.input))).to.contain(row.error);
      });
    }
  }
});

describe('a parsed reference', () => {
  const accepted = rows.filter((row) => row.normalized !== undefined);

  it('is the same when its normalised form is parsed again', () => {
    for (const { input } of accepted) {
      const once = parseReference(input);
      expect(parseReference(formatReference(once)), input).to.deep.equal(once);
    }
  });

  it('is the same when its familiar form is parsed again', () => {
    for (const { input } of accepted) {
      const once = parseReference(input);
      const familiar = familiarReference(once);
      expect(parseReference(familiar), familiar).to.deep.equal(once);
    }
  });

  it('keeps tag and digest apart', () => {
    const digest = digestOf('x');
    expect(parseReference(`ghcr.io/astro/reduce:1.0@${digest}`)).to.deep.equal({
      domain: 'ghcr.io',
      path: 'astro/reduce',
      tag: '1.0',
      digest,
    });
    expect(parseReference(`a/b@${digest}`)).to.not.have.property('tag');
  });

  it('is pinned as domain/path@digest, whatever tag it had', () => {
    const digest = digestOf('y');
    expect(pinnedReference(parseReference('alpine:3'), digest)).to.equal(`docker.io/library/alpine@${digest}`);
    expect(pinnedReference(parseReference(`localhost:5000/a@${digestOf('x')}`), digest)).to.equal(`localhost:5000/a@${digest}`);
  });

  const familiar: readonly (readonly [string, string])[] = [
    ['docker.io/library/alpine', 'alpine:latest'],
    ['docker.io/a/b:1', 'a/b:1'],
    ['docker.io/library/a/b:1', 'library/a/b:1'],
    ['ghcr.io/a:1', 'ghcr.io/a:1'],
    [`docker.io/library/sha256:${'a'.repeat(64)}`, `docker.io/library/sha256:${'a'.repeat(64)}`],
    ['localhost:5000/library/a:1', 'localhost:5000/library/a:1'],
  ];
  for (const [input, expected] of familiar) {
    it(`${input} is familiar as ${expected}`, () => expect(familiarReference(parseReference(input))).to.equal(expected));
  }
});

describe('parseReference', () => {
  it('shows foreign text escaped and cut', () => {
    const message = refusal(() => parseReference(`evil\u202e\n\u001b[31m${'x'.repeat(10_000)}`));
    expect(message).to.match(/^[\x20-\x7e…]{1,400}$/u);
    expect(message).to.contain('\\u202e\\n\\u001b');
  });

  it('throws nothing but BadReference, and what it accepts is stable (property)', () => {
    const piece = fc.constantFrom('a', 'B', '0', '.', ':', '/', '@', '-', '_', 'sha256:', '443', 'localhost', 'docker.io', '[', '::1', ' ', 'é');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const input = pieces.join('');
        let reference;
        try {
          reference = parseReference(input);
        } catch (error) {
          return error instanceof GatewayError && error.code === 'BadReference';
        }
        expect(parseReference(formatReference(reference))).to.deep.equal(reference);
        // The host must be one that a URL does not read as another: no second parser may see something else.
        return new URL(`https://${reference.domain}/`).host === reference.domain;
      }),
      { numRuns: 3000 },
    );
  });
});

describe('parseDomain', () => {
  it('normalises as the domain of a reference', () => {
    expect(parseDomain('registry-1.docker.io:443')).to.equal('docker.io');
    expect(parseDomain('example.org:443')).to.equal('example.org');
    expect(parseDomain('localhost:5000')).to.equal('localhost:5000');
  });

  for (const bad of ['', 'Example.org', '127.1', '[::1]:5000', 'example.org/a', 'https://example.org', 'example.org:0', 'a b']) {
    it(`refuses ${JSON.stringify(bad)}`, () => void refusal(() => parseDomain(bad)));
  }
});
