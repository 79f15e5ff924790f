import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KeyRule } from '../src/policy/compose-key-rule.ts';
import { instrument } from './mutations/instrument.ts';
import { baseline, type CoveredTest, survives } from './mutations/kill.ts';
import { type Outcome, report } from './mutations/report.ts';
import { type Mutant, Switches } from './mutations/switches.ts';

const REPORT = 'docs/compose-mutations.md';
const TESTS = ['compose-keys', 'compose-rules', 'compose-policy', 'compose-hostile'].map((name) => `test/unit/policy/${name}.test.ts`);

/**
 * `npm run test:mutations`: takes every rule for compose files out, one by one, and runs the tests that consult it. Prints the
 * report and writes it to docs. Exit code 1 where a rule can be taken out and no test fails.
 */
async function main(): Promise<number> {
  const switches = new Switches();
  (globalThis as { mutationSwitches?: Switches }).mutationSwitches = switches;
  // Instrumented sources are a copy, beside which everything is as it is here.
  const folder = mkdtempSync(join(tmpdir(), 'pratique-mutations-'));
  try {
    for (const part of ['src', 'test', 'fixtures', 'package.json', 'tsconfig.json']) cpSync(part, join(folder, part), { recursive: true });
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const mutants = [...instrumentRules(join(folder, 'src', 'policy')), ...(await keyMutants(folder))];
    const tests = await baseline(TESTS.map((file) => join(folder, file)), switches);
    const outcomes: Outcome[] = [];
    for (const mutant of mutants) outcomes.push(await tryWithout(mutant, tests, switches));
    const text = report(outcomes, tests.length);
    console.log(text);
    writeFileSync(REPORT, text);
    return outcomes.every(({ killer }) => killer !== undefined) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function instrumentRules(policy: string): readonly Mutant[] {
  return readdirSync(policy).filter((name) => /^compose-.*\.ts$/.test(name)).sort().flatMap((name) => {
    const { text, mutants } = instrument(name, readFileSync(join(policy, name), 'utf8'));
    writeFileSync(join(policy, name), text);
    return mutants;
  });
}

/** Two for a key that is refused or passed over with a warning: as good as allowed, and not known at all. One for the others. */
async function keyMutants(folder: string): Promise<readonly Mutant[]> {
  const { COMPOSE_KEYS } = (await import(pathToFileURL(join(folder, 'src/policy/compose-keys.ts')).href)) as { COMPOSE_KEYS: Readonly<Record<string, KeyRule>> };
  return Object.entries(COMPOSE_KEYS).flatMap(([key, { verdict }]) => {
    const unknown = { id: `key ${key}`, place: 'table of keys', what: `${key} is not known` };
    const allowed = { id: `verdict ${key}`, place: 'table of keys', what: `${key}: ${verdict} becomes allow` };
    return verdict === 'deny' || verdict === 'ignore' ? [allowed, unknown] : [unknown];
  });
}

async function tryWithout(mutant: Mutant, tests: readonly CoveredTest[], switches: Switches): Promise<Outcome> {
  const covering = tests.filter(({ consulted }) => consulted.has(mutant.id));
  switches.out = mutant.id;
  for (const test of covering) if (!(await survives(test))) return { mutant, covering: covering.length, killer: test.title };
  return { mutant, covering: covering.length };
}

process.exitCode = await main();
