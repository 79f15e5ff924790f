import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RECOVERY, type EngineState, type RecoveryAction, type StoreState } from '../src/execution/recovery-table.ts';

const TABLE = 'src/execution/recovery-table.ts';
const TEST = 'test/unit/execution/recovery.test.ts';
const REPORT = 'docs/recovery-mutations.md';

/** A test that has not ended by then never will: what it waits for is not done (milliseconds). */
const TIMEOUT = 5_000;

interface Cell {
  readonly store: StoreState;
  readonly engine: EngineState;
  readonly action: RecoveryAction;
  /** What is done instead. */
  readonly instead: RecoveryAction;
}

/** A cell without its action: nothing is done; where a container is to be left alone, it is removed; and a job that is to wait for its turn does not. */
function cells(): readonly Cell[] {
  return (Object.keys(RECOVERY) as StoreState[]).flatMap((store) =>
    (Object.entries(RECOVERY[store]) as [EngineState, RecoveryAction][]).flatMap(([engine, action]): Cell[] => {
      // what only waits, and has nothing on the engine, is nothing that recovery looks at
      if (action === 'queue') return engine === 'none' ? [] : [{ store, engine, action, instead: 'adopt' }];
      if (action !== 'leave') return [{ store, engine, action, instead: 'leave' }];
      // where there is nothing to leave alone, there is nothing to take out
      return engine === 'none' ? [] : [{ store, engine, action, instead: 'remove' }];
    }),
  );
}

/** Whether the test of this cell fails with this table; a run in which it is not found is an error. */
function fails(folder: string, { action, engine, store }: Cell): boolean {
  const title = `${store} x ${engine} -> ${action}`;
  const words = ['--import', 'tsx', join('node_modules', 'mocha', 'bin', 'mocha.js'), '--no-config', '--reporter', 'json', '--exit', '--timeout', String(TIMEOUT), '--fgrep', title, TEST];
  const { stdout } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 });
  const { stats } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { readonly stats: { readonly tests: number; readonly failures: number } };
  if (stats.tests !== 1) throw new Error(`there is no test "${title}", or more than one`);
  return stats.failures > 0;
}

/** `npm run test:mutations:recovery`: exit code 1 where the test of a cell does not notice that its action is gone. */
function main(): number {
  const folder = mkdtempSync(join(tmpdir(), 'pratique-recovery-'));
  try {
    for (const part of ['src', 'test', 'package.json', 'tsconfig.json']) cpSync(part, join(folder, part), { recursive: true });
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const table = readFileSync(TABLE, 'utf8');
    const rows = cells().map((cell) => {
      const { action, engine, instead, store } = cell;
      writeFileSync(join(folder, TABLE), table);
      if (fails(folder, cell)) throw new Error(`the test of ${store} x ${engine} fails with the table as it is`);
      writeFileSync(join(folder, TABLE), `${table}\nObject.assign(RECOVERY, { ${store}: { ...RECOVERY.${store}, ${engine}: '${instead}' } });\n`);
      const noticed = fails(folder, cell);
      console.log(`${noticed ? 'noticed ' : 'SURVIVES'}  ${store} x ${engine}: ${action} becomes ${instead}`);
      return { ...cell, noticed };
    });
    const lines = rows.map(({ store, engine, action, instead, noticed }) => `| ${store} | ${engine} | ${action} | ${instead} | ${noticed ? 'fails' : '**passes**'} |`);
    const noticed = rows.filter((row) => row.noticed).length;
    const head = `# Recovery without one of its actions\nMade by \`npm run test:mutations:recovery\`: in each cell of \`${TABLE}\` the action is taken out, and the test of that cell run. ${String(noticed)} of ${String(rows.length)} are noticed.\n\n| store | engine | action | instead | its test |\n|---|---|---|---|---|\n`;
    writeFileSync(REPORT, `${head}${lines.join('\n')}\n`);
    return noticed === rows.length ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main();
