import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What came of a campaign. */
export interface Report {
  readonly seed: number;
  /** Milliseconds, from the beginning to the end, and of the faults alone. */
  readonly took: number;
  readonly faultsTook: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Faults that were drawn and not possible: they count nowhere. */
  readonly impossible: number;
  /** How often a gateway has died at each step. */
  readonly steps: Readonly<Record<string, number>>;
  readonly neverReached: readonly string[];
  /** Jobs that were asked for, by list. */
  readonly jobs: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly gatewayStarts: number;
  readonly phases: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly results: number;
  /** What the engine has said when nothing but the removal of its networks' database got it to start again. */
  readonly engineMended: readonly string[];
  /** Everything that is not as it was promised. */
  readonly problems: readonly string[];
}

const packageSchema = z.object({ name: z.string(), version: z.string() });

/** The report for people. */
export function formatReport(report: Report): string {
  const { faults, jobs, neverReached, problems, steps } = report;
  const { name, version } = packageSchema.parse(JSON.parse(readFileSync('package.json', 'utf8')));
  const table = (rows: Readonly<Record<string, number>>): string[] => Object.entries(rows).sort(([, a], [, b]) => b - a).map(([row, count]) => `  ${String(count).padStart(5)}  ${row}`);
  return [
    `${name} ${version}, seed ${String(report.seed)}: ${String(sum(faults))} faults in ${minutes(report.faultsTook)}, ${minutes(report.took)} with everything; ${String(report.gatewayStarts)} starts of a gateway, ${String(report.requests)} requests.`,
    `${String(sum(jobs))} jobs asked for: ${Object.entries(jobs).map(([list, count]) => `${String(count)} at /uws/${list}`).join(', ')}.`,
    'Faults:', ...table(faults),
    `A gateway has died at each of these steps so often:`, ...table(steps),
    `Steps that no gateway has died at: ${neverReached.length === 0 ? 'none' : neverReached.join(', ')}. Faults that were drawn and not possible, and are not counted: ${String(report.impossible)}.`,
    ...(report.engineMended.length === 0 ? [] : ['The engine went down over a network and did not start any more (moby/moby 45057), until the database of its networks was removed:', ...report.engineMended.map((words) => `  ${words}`)]),
    'How the jobs ended:', ...table(report.phases),
    'Errors that jobs ended with:', ...table(report.errors),
    `${String(report.results)} results, each fetched and compared with its checksum and with what its program wrote.`,
    problems.length === 0 ? 'Nothing lost, nothing run twice, nothing left, no wrong phase.' : `${String(problems.length)} PROBLEMS:`, ...problems.map((problem) => `  ${problem}`),
  ].join('\n');
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, each) => all + each, 0);
}

function minutes(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
}
