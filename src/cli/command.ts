import { createRequire } from 'node:module';
import { CONFIG_VARIABLE, ConfigInvalid } from '../config.ts';
import { PolicyInvalid } from '../policy/policy-file.ts';
import { hearSignals, type Signals } from './signals.ts';

/** One command: its line in the help, and what it does; the number is the exit code. */
interface Command {
  readonly usage: string;
  readonly does: string;
  /** Knows `--help` itself. */
  readonly explains?: true;
  readonly run: (words: readonly string[], environment: NodeJS.ProcessEnv) => Promise<number>;
}

/** Every command. Each is loaded when it is called, so that a question from the shell does not load a server. */
const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { usage: 'serve', does: 'run the gateway', run: async (...call) => serve(call, hearSignals()) },
  check: { usage: 'check IMAGE | check --compose FILE', does: 'the verdict, and why; 0 = yes, 1 = no (--group G, --var N=v, --secret N)', run: async (...call) => (await import('./check.ts')).check(...call) },
  preflight: { usage: 'preflight', does: 'what the engine has of what jobs need; 0 = everything, 1 = jobs are refused', run: async (...call) => (await import('./preflight.ts')).preflight(...call) },
  ask: { usage: 'ask URL --image IMAGE [--run]', does: 'asks a planner whether and where a task can be run (ask --help)', explains: true, run: async (words) => (await import('./ask.ts')).ask(words) },
  egress: { usage: 'egress --config FILE', does: 'the way out of jobs that have a network, to the hosts of the file', run: async (words) => (await import('./egress.ts')).egress(words) },
  drain: { usage: 'drain [--abort-after D] [--no-wait] [--undo]', does: 'the running gateway takes and starts no jobs; waits for those that run', run: async (...call) => (await import('./drain.ts')).drain(...call) },
  backup: { usage: 'backup FILE [--without-results]', does: 'the data folder as one archive, while the gateway runs', run: async (...call) => (await import('./back-up.ts')).backup(...call) },
  restore: { usage: 'restore FILE [--replace] [--keep-queue]', does: 'puts a backup back, where no gateway runs', run: async (...call) => (await import('./back-up.ts')).restore(...call) },
  usage: { usage: 'usage [--by owner|group|image|job]', does: 'what jobs have used (--since D, --until D, --json, --csv); a gateway may run or not', run: async (...call) => (await import('./report-usage.ts')).reportUsage(...call) },
  policy: { usage: 'policy test FILE | policy schema', does: 'try expectations against the policy; its JSON Schema', run: async (...call) => (await import('./policy-test.ts')).policy(...call) },
  bases: { usage: 'bases [--refresh]', does: 'approved bases, since when, and their digests', run: async (...call) => (await import('./bases.ts')).bases(...call) },
  audit: { usage: 'audit [--image NAME] [--id ID] [--since T]', does: 'recorded decisions, one a line', run: async (...call) => (await import('./audit.ts')).audit(...call) },
};

/** Signals are heard before the server is loaded, which takes a second on a busy machine. */
async function serve(call: readonly [readonly string[], NodeJS.ProcessEnv], signals: Signals): Promise<number> {
  return (await import('./serve.ts')).serve(...call, signals);
}

/** What can be called. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

function usage(): string {
  const width = 2 + Math.max(...Object.values(COMMANDS).map((command) => command.usage.length));
  const lines = Object.values(COMMANDS).map((command) => `  ${command.usage.padEnd(width)}${command.does}`);
  return `Usage: pratique <command> [options]

${lines.join('\n')}

Where a command reads the configuration: --config FILE, else ${CONFIG_VARIABLE}; without either, all defaults, which accept no image.
check, policy and bases judge for the engine's platform; --platform linux/amd64 where there is no engine.
`;
}

/** One invocation of the program. Returns the exit code: 0, 1 when the answer is no, 2 when the call or the configuration is wrong. */
export async function runCommand([name, ...words]: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  if (name === '--version') {
    const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
    console.log(version);
    return 0;
  }
  if (name === undefined || ['--help', '-h', 'help'].includes(name)) {
    console.log(usage());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    console.error(`pratique: unknown command ${JSON.stringify(name)}\n\n${usage()}`);
    return 2;
  }
  if (command.explains !== true && words.some((word) => word === '--help' || word === '-h')) {
    console.log(`Usage: pratique ${command.usage}\n\n  ${command.does}`);
    return 0;
  }
  try {
    return await command.run(words, environment);
  } catch (error) {
    console.error(`pratique: ${describe(error)}`);
    return 2;
  }
}

/** What an operator is told: a wrong configuration or call without a stack, anything else in its own words. */
function describe(error: unknown): string {
  if (error instanceof ConfigInvalid || error instanceof PolicyInvalid) return error.message;
  return withCauses(error);
}

/** The error in its own words, and what lies beneath it as far as that says more: which socket it was, which file. */
function withCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : withCauses(error.cause);
  if (cause === '' || error.message.includes(cause)) return error.message;
  return cause.startsWith(error.message) ? cause : `${error.message}: ${cause}`;
}
