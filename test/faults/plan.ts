import type { Random } from './random.ts';
import { sha256 } from './sha256.ts';

/** One container of a job, and what its program is to do. */
export interface ServicePlan {
  readonly name: string;
  /** In the program's environment: what its runs are counted by. */
  readonly mark: string;
  readonly image: string;
  /** Seconds, of every run. */
  readonly pause: number;
  /** Lines of its output file; 0 = none. */
  readonly rows: number;
  /** Its exit code once it has failed often enough. */
  readonly code: number;
  /** Runs that fail before one does not. */
  readonly failures: number;
  /** `restart: on-failure:N`; 0 = no restart. */
  readonly restarts: number;
  /** Finds a file of the compose file's own. */
  readonly file: boolean;
}

/** What a job is to do. */
export interface Plan {
  /** The job's RUNID: what it is known by everywhere. */
  readonly mark: string;
  readonly kind: JobKind;
  readonly list: 'docker' | 'compose';
  /** Each waits for the one before to be completed, and reads what that has written into a volume; one of a single container. The last one's exit is the job's. */
  readonly services: readonly ServicePlan[];
  /** executionDuration in seconds. */
  readonly limit: number;
  /** The instant of its destruction, where that is soon. */
  readonly destruction: string | undefined;
  /** A value that nobody is to see but the program. */
  readonly secret: string | undefined;
}

/** What every secret of a campaign begins with: seen anywhere, it is one too much. */
export const HUSH = 'hush-';

/** How often each kind of job comes; those of compose files are a quarter of all. */
export const JOB_KINDS = {
  quick: 38, slow: 15, failing: 9, long: 8, doomed: 6, secret: 9,
  chain: 8, chainFailing: 3, chainBroken: 3, chainLong: 4, chainDoomed: 3, flaky: 4, hopeless: 2, restless: 2,
};

export type JobKind = keyof typeof JOB_KINDS;

/** The exit code of a run that is to fail. */
export const FAILED = 7;

/** The exit code of a program that cannot write. */
export const NO_ROOM = 9;

/** Seconds of a program that only something else ends. */
const FOR_EVER = 600;

/**
 * What a job's program does: it says that it began, writes what it is told to, takes its time, says that it ends, and ends as told. What it
 * has written is counted: `head` and `cut` of busybox end well on a full disk with nothing written.
 */
export const PROGRAM = `#!/bin/sh
echo "begin $MARK"
if [ "$FAILURES" -gt 0 ]; then
  echo again >> "/shared/tries.$MARK" || exit ${String(NO_ROOM)}
  if [ "$(wc -l < "/shared/tries.$MARK")" -le "$FAILURES" ]; then
    sleep "$PAUSE"
    echo "fail $MARK"
    exit ${String(FAILED)}
  fi
fi
line=$MARK
[ -z "$READS" ] || line="$(cat /shared/word) $MARK"
[ "$ROWS" = 0 ] || yes "$line" | head -n "$ROWS" > /output/data.txt || exit ${String(NO_ROOM)}
[ "$ROWS" = 0 ] || [ "$(wc -l < /output/data.txt)" = "$ROWS" ] || exit ${String(NO_ROOM)}
[ ! -e /words ] || cat /words > /output/words.txt || exit ${String(NO_ROOM)}
[ ! -e /run/secrets/token ] || sha256sum < /run/secrets/token | cut -c 1-64 > /output/token.txt || exit ${String(NO_ROOM)}
[ ! -e /run/secrets/token ] || [ -s /output/token.txt ] || exit ${String(NO_ROOM)}
sleep "$PAUSE"
[ -z "$WRITES" ] || echo "$MARK" > /shared/word || exit ${String(NO_ROOM)}
echo "end $MARK"
exit "$CODE"
`;

/** A job of the kind. */
export function planOf(kind: JobKind, mark: string, images: readonly string[], random: Random): Plan {
  const service = (name: string, more: Partial<ServicePlan> = {}): ServicePlan => ({
    name, mark: name === '' ? mark : `${mark}.${name}`, image: random.pick(images), pause: random.int(0, 8) / 10, rows: 0, code: 0, failures: 0, restarts: 0, file: false, ...more,
  });
  const rows = (): number => random.pick([0, 1, 100, 20_000]);
  const soon = (): string => new Date(Date.now() + random.int(3, 15) * 1000).toISOString();
  const code = (): number => random.pick([1, 3, 42]);
  const single = (own: Partial<ServicePlan>, more: Partial<Plan> = {}): Plan => ({ mark, kind, list: 'docker', services: [service('', { rows: rows(), ...own })], limit: FOR_EVER, destruction: undefined, secret: undefined, ...more });
  const chain = (first: Partial<ServicePlan>, last: Partial<ServicePlan>, more: Partial<Plan> = {}): Plan => ({
    ...single({}, more), list: 'compose', services: [service('setup', first), service('main', { rows: rows(), file: random.chance(0.4), ...last })],
  });
  switch (kind) {
    case 'quick': return single({});
    case 'slow': return single({ pause: random.int(2, 8) });
    case 'failing': return single({ code: code() });
    case 'long': return single({ pause: FOR_EVER }, { limit: random.int(1, 4) });
    case 'doomed': return single({ pause: random.pick([0.1, 5, 60]) }, { destruction: soon() });
    case 'secret': return single({ pause: random.pick([0.1, 3]) }, { secret: `${HUSH}${String(random.int(0, 2 ** 31))}-${mark}` });
    case 'chain': return chain({ pause: random.pick([0.1, 2]) }, { pause: random.pick([0.1, 4]) });
    case 'chainFailing': return chain({}, { code: code() });
    case 'chainBroken': return chain({ code: code() }, {});
    case 'chainLong': return chain({}, { pause: FOR_EVER, restarts: random.pick([0, 3]) }, { limit: random.int(2, 5) });
    case 'chainDoomed': return chain({ pause: random.pick([0.1, 5, 60]) }, { pause: random.pick([0.1, 60]) }, { destruction: soon() });
    case 'flaky': return chain({ failures: random.int(0, 2), restarts: 3 }, { failures: random.int(1, 2), restarts: random.int(2, 3) });
    case 'hopeless': return random.chance(0.5) ? chain({ failures: 99, restarts: 1 }, {}) : chain({}, { failures: 99, restarts: 2 });
    // every run is shorter than the limit, and all of them together are not
    case 'restless': return chain({}, { failures: 99, restarts: 10, pause: 1 }, { limit: random.int(3, 5) });
  }
}

/** What a creation of the job says. */
export function parametersOf(plan: Plan): Record<string, string> {
  const [first] = plan.services;
  if (first === undefined) throw new Error('a job of nothing');
  const single = { IMAGE: first.image, ...Object.fromEntries(Object.entries(environmentOf(plan, first)).map(([name, value]) => [`ENV.${name}`, value])) };
  return {
    ...(plan.list === 'docker' ? single : { COMPOSEFILE: composeFile(plan) }),
    RUNID: plan.mark,
    EXECUTIONDURATION: String(plan.limit),
    ...(plan.destruction === undefined ? {} : { DESTRUCTION: plan.destruction }),
    ...(plan.secret === undefined ? {} : { 'SECRET.token': plan.secret }),
  };
}

function environmentOf({ services }: Plan, service: ServicePlan): Record<string, string> {
  const at = services.indexOf(service);
  return {
    MARK: service.mark, PAUSE: String(service.pause), ROWS: String(service.rows), CODE: String(service.code), FAILURES: String(service.failures),
    READS: at > 0 ? 'yes' : '', WRITES: at < services.length - 1 ? 'yes' : '',
  };
}

function composeFile(plan: Plan): string {
  const services = plan.services.map((service, i) => {
    const before = plan.services[i - 1];
    return [service.name, {
      image: service.image,
      environment: environmentOf(plan, service),
      volumes: ['shared:/shared'],
      ...(before === undefined ? {} : { depends_on: { [before.name]: { condition: 'service_completed_successfully' } } }),
      ...(service.restarts === 0 ? {} : { restart: `on-failure:${String(service.restarts)}` }),
      ...(service.file ? { configs: [{ source: 'words', target: '/words' }] } : {}),
    }] as const;
  });
  const configs = plan.services.some(({ file }) => file) ? { configs: { words: { content: wordsOf(plan) } } } : {};
  return JSON.stringify({ services: Object.fromEntries(services), volumes: { shared: {} }, ...configs });
}

function wordsOf({ mark }: Plan): string {
  return `words of ${mark}\n`;
}

/** How a job ends that nothing disturbs, and what it leaves. */
export interface Expected {
  readonly phase: 'COMPLETED' | 'ERROR' | 'ABORTED';
  /** Where a program's exit is the job's, and not 0. */
  readonly exitCode?: number;
  /** What the error says where no program's exit is the job's. */
  readonly message?: string;
  /** How often each service's program is started, in their order. */
  readonly runs: readonly number[];
  /** The whole of each log, by the id of the result. */
  readonly logs: ReadonlyMap<string, string>;
  /** The digest of each file. */
  readonly files: ReadonlyMap<string, string>;
}

export function expectedOf(plan: Plan): Expected {
  const steps: { readonly service: ServicePlan; readonly runs: number; readonly said: string; readonly code: number }[] = [];
  for (const service of plan.services) {
    const reached = steps.every(({ code }) => code === 0);
    const fails = reached ? Math.min(service.failures, service.restarts + 1) : 0;
    const ends = reached && service.failures <= service.restarts;
    const said = `begin ${service.mark}\nfail ${service.mark}\n`.repeat(fails) + (ends ? `begin ${service.mark}\nend ${service.mark}\n` : '');
    steps.push({ service, runs: fails + (ends ? 1 : 0), said, code: ends ? service.code : FAILED });
  }
  const seconds = steps.reduce((sum, { service, runs }) => sum + service.pause * runs, 0);
  const marked = ({ service, said }: (typeof steps)[number]): string => said.replace(/^(?=.)/gm, `${service.name} | `);
  const logs = new Map(plan.list === 'docker'
    ? steps.map(({ said }) => ['stdout', said] as const)
    : [['stdout', steps.map(marked).join('')] as const, ...steps.map(({ service, said }) => [`stdout.${service.name}`, said] as const)]);
  const common = { runs: steps.map(({ runs }) => runs), logs, files: filesOf(plan, steps.filter(({ service, runs }) => runs > service.failures).map(({ service }) => service)) };
  if (seconds > plan.limit) return { ...common, phase: 'ABORTED' };
  const broken = steps.find(({ code }) => code !== 0);
  if (broken === undefined) return { ...common, phase: 'COMPLETED' };
  const next = steps[steps.indexOf(broken) + 1];
  if (next === undefined) return { ...common, phase: 'ERROR', exitCode: broken.code };
  return { ...common, phase: 'ERROR', message: `service ${next.service.name} cannot start: it waits for ${broken.service.name} to be completed, which ended with exit code ${String(broken.code)}` };
}

/** Of those services that came so far as to write. */
function filesOf(plan: Plan, services: readonly ServicePlan[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { file, mark, name, rows } of services) {
    const before = plan.services[plan.services.findIndex((each) => each.name === name) - 1];
    const folder = plan.list === 'docker' ? '' : `${name}/`;
    if (rows > 0) files.set(`${folder}data.txt`, sha256(`${before === undefined ? '' : `${before.mark} `}${mark}\n`.repeat(rows)));
    if (file) files.set(`${folder}words.txt`, sha256(wordsOf(plan)));
    if (plan.secret !== undefined) files.set(`${folder}token.txt`, sha256(`${sha256(plan.secret)}\n`));
  }
  return files;
}
