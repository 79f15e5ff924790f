import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

/** The lines of the conformance checklist (uws.md 6), by number. 112 to 114 do not exist. */
const LINES = [...Array.from({ length: 111 }, (_, index) => index + 1), 115, 116, 117];

describe('the conformance checklist', () => {
  it('has a test for each of its lines, named by its number and strength', () => {
    const files = [...readdirSync('test/conformance/uws').map((name) => `test/conformance/uws/${name}`), 'test/e2e/clients.test.ts'];
    const titles = files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/(?:it|describe)\((['`])(.*?)\1,|^ {4}?'(\d+ \[.*?)':/gms)].map(([, , title, way]) => title ?? way ?? ''));
    const tested = new Set(titles.flatMap((title) => [...title.matchAll(/\b(\d+) \[[MSDPR]\]/g)].map(([, number]) => Number(number))));
    expect(LINES.filter((number) => !tested.has(number))).to.deep.equal([]);
  });
});
