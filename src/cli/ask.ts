import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SystemClock } from '../clock.ts';
import { UntrustedFetch } from '../untrusted-fetch.ts';
import { readConfidential } from './ask-confidential.ts';
import { type AskedQuestion, askPlanner } from './ask-planner.ts';
import { printAnswer } from './ask-print.ts';
import { runOffer } from './ask-run.ts';
import type { AskSurroundings } from './ask-session.ts';

export const ASK_USAGE = `Usage: pratique ask URL [options] [-- WORD...]

Asks an IVOA Execution Planner (URL: of /accepts, or of what it stands below) whether and where a task can be run.

  --image IMAGE             a container; WORDs after -- replace its command
  --compose FILE            a Docker Compose file; its variables: -p variables.NAME=VALUE; the service that decides: -p service=NAME
  --task TYPE               any other type of task: uri://jupyter-notebook ...
  -p, --param NAME=VALUE    a member of taskinfo, or resources.NAME=VALUE; repeated names make a list
  --json                    print the answer as it came
  --secret NAME=FILE        what FILE has becomes the job's file /run/secrets/NAME
  --login HOST=FILE         FILE has user:password of yours for the registry HOST
  --run                     submit what is offered to its job list, follow it, fetch the results
  --output FOLDER           where results go (default: pratique-JOB)

A bearer token is taken from PRATIQUE_TOKEN. It, secrets and logins are sent to URL's own host only; the value of a secret to the job alone.
Exit code: 0 yes (with --run: and the job completed), 1 no (or the job did not complete), 2 no answer.
`;

/** A call that cannot be understood; the message says why. */
export class AskUsage extends Error {
  override readonly name = 'AskUsage';
}

/** `pratique ask`. Returns the exit code; throws AskUsage, and an Error that says why there is no answer. */
export async function ask(words: readonly string[], surroundings: AskSurroundings = real()): Promise<number> {
  const { values, positionals } = parse(words);
  if (values.help === true) {
    surroundings.out(ASK_USAGE);
    return 0;
  }
  const { url, question } = await readCall(values, positionals, words);
  const fetch = new UntrustedFetch(surroundings.clock);
  try {
    const token = surroundings.environment['PRATIQUE_TOKEN'];
    const session = { fetch, url, ...(token === undefined || token === '' ? {} : { token }) };
    const answer = await askPlanner(session, question);
    surroundings.out(values.json === true ? answer.text : printAnswer(answer));
    if (!answer.yes) return 1;
    return values.run === true ? await runOffer(session, answer, values.output === undefined ? undefined : resolve(values.output), surroundings) : 0;
  } finally {
    await fetch.close();
  }
}

const OPTIONS = {
  image: { type: 'string' },
  compose: { type: 'string' },
  task: { type: 'string' },
  param: { type: 'string', short: 'p', multiple: true },
  secret: { type: 'string', multiple: true },
  login: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  run: { type: 'boolean' },
  output: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new AskUsage(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parse>['values'];

async function readCall(values: Values, positionals: readonly string[], words: readonly string[]): Promise<{ readonly url: URL; readonly question: AskedQuestion }> {
  const dashes = words.indexOf('--');
  const command = dashes === -1 ? [] : words.slice(dashes + 1);
  const [url, ...others] = positionals.slice(0, positionals.length - command.length);
  if (url === undefined) throw new AskUsage('the URL of the planner is missing');
  if (others.length > 0) throw new AskUsage(`${JSON.stringify(others[0])}: what is this? Words of a command come after --`);
  const { image, compose, task } = values;
  if ([image, compose, task].filter((given) => given !== undefined).length !== 1) throw new AskUsage('give one of --image, --compose and --task');
  if (command.length > 0 && image === undefined) throw new AskUsage('words after -- are the command of an --image');
  const unread = (option: string) => (word: string) => new AskUsage(`${option} ${JSON.stringify(word)}: must be ${option === '--secret' ? 'NAME' : 'HOST'}=FILE`);
  const secrets = await readConfidential('SECRET', values.secret ?? [], unread('--secret'));
  const logins = await readConfidential('REGISTRY', values.login ?? [], unread('--login'));
  const members = [
    ...(image === undefined ? [] : [{ name: 'taskinfo.image', value: image }]),
    ...command.map((word) => ({ name: 'taskinfo.arg', value: word })),
    // of a file it is judged whether all are there that it names
    ...(compose === undefined ? [] : secrets.map(({ name }) => ({ name: 'taskinfo.secrets', value: name.slice('SECRET.'.length) }))),
    ...(values.param ?? []).map(member),
  ];
  return {
    url: plannerUrl(url),
    question: {
      tasktype: task ?? (image === undefined ? 'uri://docker-compose' : 'uri://docker-container'),
      members,
      secrets,
      logins,
      ...(compose === undefined ? {} : { document: { name: 'taskinfo.composefile', bytes: await readFile(compose) } }),
    },
  };
}

function member(text: string): { readonly name: string; readonly value: string } {
  const equals = text.indexOf('=');
  if (equals < 1) throw new AskUsage(`-p ${JSON.stringify(text)}: must be NAME=VALUE`);
  const name = text.slice(0, equals);
  return { name: /^(?:taskinfo|resources)\./.test(name) ? name : `taskinfo.${name}`, value: text.slice(equals + 1) };
}

/** The URL of the question: what stands below a service is /accepts. */
function plannerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw new AskUsage(`${JSON.stringify(text)} is no http or https URL (without user and password)`);
  if (!/\/accepts?\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/+$/, '')}/accepts`;
  url.hash = '';
  return url;
}

function real(): AskSurroundings {
  return {
    clock: new SystemClock(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    overwrites: process.stderr.isTTY,
    environment: process.env,
  };
}
