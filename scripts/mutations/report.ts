import type { Mutant } from './switches.ts';

/** What became of one rule taken out: the first test that failed, if one did. */
export interface Outcome {
  readonly mutant: Mutant;
  /** Tests that consult it. */
  readonly covering: number;
  readonly killer?: string;
}

/** The report as Markdown. */
export function report(outcomes: readonly Outcome[], tests: number): string {
  const survivors = outcomes.filter(({ killer }) => killer === undefined);
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 160);
  const row = ({ mutant, killer, covering }: Outcome): string => `| ${mutant.place} | \`${cell(mutant.what).replaceAll('`', "'")}\` | ${String(covering)} | ${killer === undefined ? '**nothing**' : cell(killer)} |`;
  return `# Compose rules taken out one by one
<!-- Written by \`npm run test:mutations\`. -->

Every key of the table (src/policy/compose-keys.ts, compose-service-keys.ts) and every rule in src/policy/compose-*.ts was taken out
alone, and the tests that consult it were run. A rule without which nothing fails would be a rule that nobody holds.

| | |
|---|---|
| rules taken out | ${String(outcomes.length)} |
| noticed by a test | ${String(outcomes.length - survivors.length)} |
| noticed by none | ${String(survivors.length)} |
| tests | ${String(tests)} |

| Where | Taken out | Tests that consult it | The first that fails without it |
|---|---|---|---|
${[...survivors, ...outcomes.filter(({ killer }) => killer !== undefined)].map(row).join('\n')}
`;
}
