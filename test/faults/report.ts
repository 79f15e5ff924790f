import type { Report } from './campaign.ts';

/** The report for people. */
export function formatReport(report: Report): string {
  const faults = Object.values(report.faults).reduce((sum, each) => sum + each, 0);
  const table = (rows: Readonly<Record<string, number>>): string[] => Object.entries(rows).sort(([, a], [, b]) => b - a).map(([name, count]) => `  ${String(count).padStart(5)}  ${name}`);
  const { problems } = report;
  return [
    `Seed ${String(report.seed)}: ${String(faults)} faults, ${String(report.gatewayStarts)} starts of a gateway, ${String(report.requests)} requests, ${String(report.jobs)} jobs asked for.`,
    'Faults:', ...table(report.faults),
    'How the jobs ended:', ...table(report.phases),
    'Errors that jobs ended with:', ...table(report.errors),
    `${String(report.results)} results, each fetched and compared with its checksum and with what its program wrote.`,
    problems.length === 0 ? 'Nothing lost, nothing run twice, nothing left, no wrong phase.' : `${String(problems.length)} PROBLEMS:`, ...problems.map((problem) => `  ${problem}`),
  ].join('\n');
}
