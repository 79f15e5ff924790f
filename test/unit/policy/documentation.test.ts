import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseExpectations } from '../../../src/policy/policy-expectations.ts';
import { parsePolicyText, readYaml } from '../../../src/policy/policy-file.ts';
import { policyJsonSchema } from '../../../src/policy/policy-schema.ts';
import { policyWarnings } from '../../../src/policy/policy-warnings.ts';
import { REFUSALS } from '../../../src/policy/refusal-codes.ts';
import { compilePolicy } from '../../../src/policy/rule.ts';

const EXAMPLE = readFileSync('examples/policy.yaml', 'utf8');
const MANUAL = readFileSync('docs/policy.md', 'utf8');

/** Every key that the schema knows, at any depth. */
function keysOf(schema: unknown): string[] {
  if (schema === null || typeof schema !== 'object') return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' ? Object.keys(value as object) : []),
    ...keysOf(value),
  ]);
}
const KEYS = [...new Set(keysOf(policyJsonSchema()))];

describe('the documentation of the policy', () => {
  it('has an example that is valid and gives nothing away', () => {
    expect(policyWarnings(compilePolicy(parsePolicyText(EXAMPLE)))).to.deep.equal([]);
  });

  it('has one whose last comment is a rule, too', () => {
    const comment = EXAMPLE.slice(EXAMPLE.indexOf('# To accept everything')).split('\n').slice(1).map((line) => line.replace(/^# /, '')).join('\n');
    expect(policyWarnings(compilePolicy(parsePolicyText(`${EXAMPLE}\n${comment}`)))).to.deep.equal(['rule "anything" accepts every image of every registry']);
  });

  it('knows every key of the schema', () => {
    expect(KEYS).to.have.length.greaterThan(30);
    for (const key of KEYS) {
      expect(new RegExp(`\\b${key}\\b`).test(MANUAL), `docs/policy.md does not say what ${key} is`).to.equal(true);
      expect(new RegExp(`\\b${key}:`).test(EXAMPLE), `examples/policy.yaml does not show ${key}`).to.equal(true);
    }
  });

  it('lists every code with its meaning, and no other', () => {
    const [, section = ''] = MANUAL.split('## Codes of refusals');
    const listed = [...section.matchAll(/^\| `([a-z]+\.[a-z-]+)` \| (.*) \|$/gm)].map(([, code, meaning]) => [code, meaning]);
    expect(listed).to.deep.equal(Object.entries(REFUSALS));
  });

  it('shows expectations that can be read', () => {
    const [, yaml = ''] = /```yaml\n([^]*?)```/.exec(MANUAL) ?? [];
    expect(parseExpectations(readYaml(yaml))).to.have.length(4);
  });
});
