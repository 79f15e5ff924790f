import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ensureEngine } from './setup/engine.ts';
import { ensurePrograms } from './setup/packages.ts';

/** What the suites use beside the engine: the registry, clients that VO users have, independent readers and signers. */
const NEEDED = [
  { program: 'docker-registry', package: 'docker-registry' },
  { program: 'busybox', package: 'busybox-static' },
  { program: 'skopeo', package: 'skopeo' },
  { program: 'xmllint', package: 'libxml2-utils' },
  { program: 'openssl', package: 'openssl' },
  { program: 'stilts', package: 'stilts' },
  { program: '/usr/lib/python3/dist-packages/pyvo/__init__.py', package: 'python3-pyvo' },
  { program: '/usr/lib/python3/dist-packages/yaml/__init__.py', package: 'python3-yaml' },
];

const SUITES = ['test/*.test.ts', 'test/unit/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/fuzz/**/*.test.ts', 'test/e2e/**/*.test.ts'];

/** After the last test everything should end by itself; what still runs then is a leak. */
const LEAK_AFTER = 30_000;

/** As shells tell it of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

const say = (line: string): void => console.error(`[setup] ${line}`);

/** What a run of the suites came to. */
interface Run {
  readonly code: number;
  /** Mocha's counts, in a form that machines read; absent where it did not come to its end. */
  readonly counts?: string;
}

/** `npm test [-- files or mocha's options]`: sets up what is missing, runs the suites, puts everything back, tells the counts. */
async function main(words: readonly string[]): Promise<number> {
  ensurePrograms(NEEDED, say);
  const engine = await ensureEngine(say);
  const run = await runMocha(words).finally(() => engine.stop());
  if (run.counts !== undefined) console.log(run.counts);
  return run.code;
}

/**
 * Mocha in a process of its own, and the head of a group: whatever a failed test leaves running ends with it, at the latest a
 * while after the last test. Mocha's wrapper would put another process between us and the tests as soon as a flag of Node's
 * stood in .mocharc.json; it could neither be heard nor ended, so the flags are given here.
 */
async function runMocha(words: readonly string[]): Promise<Run> {
  const named = words.some((word) => word.endsWith('.ts'));
  const child = spawn(process.execPath, ['--import', 'tsx', 'node_modules/mocha/bin/mocha.js', ...(named ? [] : SUITES), ...words], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
  const stop = (): void => void killGroup(child.pid);
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return stop();
    interrupted = true;
    say('The test that runs is let finish, and everything taken down. Once more: at once, whatever is left');
    child.kill('SIGINT');
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  let counts: string | undefined;
  let leaked = false;
  child.on('message', (message) => {
    counts = typeof message === 'string' ? message : undefined;
    setTimeout(() => {
      console.error(`The tests are over, but something still runs after ${String(LEAK_AFTER / 1000)} s: a test leaves something behind.`);
      leaked = true;
      stop();
    }, LEAK_AFTER).unref();
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  killGroup(child.pid);
  return { code: interrupted ? INTERRUPTED : leaked ? 1 : (code ?? 1), ...(counts === undefined ? {} : { counts }) };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody is left in it
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
