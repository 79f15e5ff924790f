import type { UsageRow } from './usage-table.ts';

const HEADINGS = ['jobs', 'not measured', 'CPU', 'cores x time', 'peak memory', 'results', 'disk read', 'disk written', 'network'];

/** The rows and their total as a table for people; names as they are, but of one line. */
export function tableOf(rows: readonly UsageRow[], total: UsageRow, by: string): string {
  const lines = [[by, ...HEADINGS], ...[...rows, total].map(cells)];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const aligned = lines.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '));
  aligned.splice(-1, 0, '-'.repeat(aligned[0]?.length ?? 0));
  return aligned.join('\n');
}

function cells({ name, jobs, unmeasured, cpuSeconds, coreSeconds, peakMemory, resultBytes, diskReadBytes, diskWrittenBytes, networkBytes }: UsageRow): string[] {
  return [oneLine(name), String(jobs), String(unmeasured), time(cpuSeconds), time(coreSeconds), ...[peakMemory, resultBytes, diskReadBytes, diskWrittenBytes, networkBytes].map(size)];
}

/** The rows as CSV (RFC 4180), numbers in seconds and bytes; no spreadsheet takes a name for a formula. */
export function csvOf(rows: readonly UsageRow[], by: string): string {
  const head = `${by},jobs,unmeasured,cpuSeconds,coreSeconds,wallSeconds,peakMemory,resultBytes,diskReadBytes,diskWrittenBytes,networkBytes`;
  const line = ({ name, ...numbers }: UsageRow): string => [quoted(name), ...Object.values(numbers).map(String)].join(',');
  return [head, ...rows.map(rounded).map(line)].join('\r\n');
}

/** Milliseconds and whole bytes: what comes of shares has no meaning below. */
export function rounded(row: UsageRow): UsageRow {
  const numbers = Object.entries(row).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return { ...row, ...Object.fromEntries(numbers.map(([name, value]) => [name, name.endsWith('Seconds') ? Math.round(value * 1000) / 1000 : Math.round(value)])) };
}

function quoted(name: string): string {
  return `"${(/^[=+\-@\t\r]/.test(name) ? `'${name}` : name).replaceAll('"', '""')}"`;
}

function oneLine(name: string): string {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

/** `12.3 s`, `4.5 min`, `6.7 h`. */
function time(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return seconds < 6000 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** `12 B`, `3.4 MiB`. */
function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step] ?? ''}`;
}
