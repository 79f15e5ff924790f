import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedDocs } from '../scripts/docs/generated.ts';
import { COMMAND_NAMES } from '../src/cli/command.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const prose = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`)].filter(
  (file) => file.endsWith('.md') && existsSync(join(ROOT, file)),
);

describe('documentation', () => {
  for (const [file, content] of generatedDocs()) {
    it(`${file} is what the program says`, () => {
      expect(read(file), 'run: npm run docs').to.equal(content);
    });
  }

  it('has no link that leads nowhere', () => {
    const links = prose.flatMap((file) => [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => ({ file, to: match[1] ?? '' })));
    const broken = links.filter(({ file, to }) => !existsSync(join(ROOT, dirname(file), to)));
    expect(broken).to.deep.equal([]);
    expect(links).not.to.deep.equal([]);
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = prose.flatMap((file) => [...read(file).matchAll(/npm run (?:--silent )?([a-z:-]+)/g)].map((match) => match[1] ?? ''));
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).to.deep.equal([]);
  });

  it('names only commands of the program that there are', () => {
    const named = prose.flatMap((file) => [...read(file).matchAll(/(?:`|^)pratique ([a-z]+)|dist\/main\.js ([a-z]+)/gm)].map((match) => match[1] ?? match[2] ?? ''));
    expect(named.filter((name) => !COMMAND_NAMES.includes(name))).to.deep.equal([]);
    expect(named).to.include('drain');
  });
});
