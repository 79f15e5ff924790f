import Mocha from 'mocha';
import type { Switches } from './switches.ts';

/** A test that passes while every rule is in, and the rules that it consults. */
export interface CoveredTest {
  readonly title: string;
  readonly consulted: ReadonlySet<string>;
  readonly run: () => unknown;
}

/** Runs the suites once with every rule in. Throws where a test fails already. */
export async function baseline(files: readonly string[], switches: Switches): Promise<readonly CoveredTest[]> {
  const mocha = new Mocha({ timeout: 60_000, reporter: class extends Mocha.reporters.Base { override epilogue(): void {} } });
  mocha.cleanReferencesAfterRun(false);
  for (const file of files) mocha.addFile(file);
  await mocha.loadFilesAsync();
  const tests: CoveredTest[] = [];
  const failed: string[] = [];
  await new Promise<void>((done) => {
    const runner = mocha.run(() => done());
    runner.on('test', () => switches.consulted.clear());
    runner.on('pass', (test) => tests.push({ title: test.fullTitle(), consulted: new Set(switches.consulted), run: () => test.fn?.call({} as Mocha.Context, () => undefined) }));
    runner.on('fail', (test, error: Error) => failed.push(`${test.fullTitle()}: ${error.message}`));
  });
  if (failed.length > 0) throw new Error(`tests fail before any rule is taken out:\n${failed.join('\n')}`);
  return tests;
}

/** Whether the test still passes. */
export async function survives({ run }: CoveredTest): Promise<boolean> {
  try {
    await run();
    return true;
  } catch {
    return false;
  }
}
