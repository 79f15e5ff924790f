/**
 * `pratique`, with its engine, its store and its clock made treacherous: run by the harness as a program of its own, and told over
 * the channel between them what to do. The gateway itself knows nothing of it.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SystemClock } from '../../src/clock.ts';
import { runCommand } from '../../src/cli/command.ts';
import { BlankVolume } from '../../src/engine/docker-blank-volume.ts';
import { DockerCalls } from '../../src/engine/docker-call.ts';
import { ContainerCreation } from '../../src/engine/docker-creation.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { ProjectBuilder } from '../../src/engine/docker-project-builder.ts';
import { ProjectMarks } from '../../src/engine/docker-project-marks.ts';
import { ProjectRuns } from '../../src/engine/docker-project-runs.ts';
import { ProjectStarts } from '../../src/engine/docker-project-starts.ts';
import { ProjectFiles } from '../../src/engine/docker-project-files.ts';
import { ProjectThings } from '../../src/engine/docker-project-things.ts';
import { DockerProjects } from '../../src/engine/docker-projects.ts';
import { SecretDelivery } from '../../src/engine/docker-secrets.ts';
import { ServiceStart } from '../../src/engine/docker-service-start.ts';
import { FileResultStore } from '../../src/store/file-result-store.ts';
import { SqliteDatabase } from '../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../src/store/sqlite-job-store.ts';
import { SqlitePulledImages } from '../../src/store/sqlite-pulled-images.ts';
import { type Arming, type Moment, type Order, type Step, STEPS } from './steps.ts';

const CLASSES = {
  BlankVolume, ContainerCreation, DockerEngine, DockerProjects, FileResultStore, ProjectBuilder, ProjectFiles, ProjectMarks, ProjectRuns, ProjectStarts, ProjectThings, SecretDelivery, ServiceStart, SqliteDatabase, SqliteJobStore, SqlitePulledImages,
} as const;

/** Before the first sweep of unused images, and between two (milliseconds); no gateway lives so long here. */
const IMAGE_SWEEPS = [60 * 60_000, 10 * 60_000];
const SHORT_SWEEP = 1_000;

/** What the harness has to say before anything else is done; it is nothing of the gateway's own environment. */
const first = JSON.parse(process.env['FAULT_ORDER'] ?? '{}') as Order;
const hits = process.env['FAULT_HITS'] ?? '/dev/null';
delete process.env['FAULT_ORDER'];
delete process.env['FAULT_HITS'];

let armed: Arming | null = first.die ?? null;
let clockOffset = first.clockOffset ?? 0;

/** Says first that it was there: whoever looks for its reasons finds nobody to ask. */
function dieAt({ step, moment }: Arming): void {
  appendFileSync(hits, `${moment} ${step}\n`);
  process.kill(process.pid, 'SIGKILL');
}

function at(step: Step, moment: Moment): Arming | undefined {
  return armed?.step === step && armed.moment === moment ? armed : undefined;
}

/** Does `work`, at whose beginning, in whose midst or at whose end the process may die. */
function treacherous(step: Step, work: () => unknown): unknown {
  const before = at(step, 'before');
  if (before !== undefined) dieAt(before);
  const answer = work();
  const during = at(step, 'during');
  if (during !== undefined) void pause(during.delay).then(() => dieAt(during));
  const after = at(step, 'after');
  if (after === undefined) return answer;
  const die = (): void => dieAt(after);
  if (answer instanceof Promise) answer.then(die, die);
  else die();
  return answer;
}

type Method = (this: unknown, ...values: unknown[]) => unknown;

function replace(prototype: object, method: string, changed: (original: Method) => Method): void {
  const methods = prototype as Record<string, Method | undefined>;
  const original = methods[method];
  if (original === undefined) throw new Error(`there is no method ${method}`);
  methods[method] = changed(original);
}

const calls: { readonly step: Step; readonly verb: string; readonly path: RegExp }[] = [];
for (const step of Object.keys(STEPS) as readonly Step[]) {
  const [verb = '', path] = step.split(' ');
  if (path !== undefined) {
    calls.push({ step, verb, path: new RegExp(`^${path.replaceAll('*', '[^/]+')}$`) });
    continue;
  }
  const [name, method = ''] = step.split('.') as [keyof typeof CLASSES, string];
  replace(CLASSES[name].prototype, method, (original) => function method(this: unknown, ...values: unknown[]): unknown {
    return treacherous(step, () => original.apply(this, values));
  });
}

for (const method of ['ask', 'open']) {
  replace(DockerCalls.prototype, method, (original) => function call(this: unknown, ...values: unknown[]): unknown {
    const [verb, path] = values as [string, string];
    const known = armed === null ? undefined : calls.find((each) => each.step === armed?.step && each.verb === verb && each.path.test(path));
    return known === undefined ? original.apply(this, values) : treacherous(known.step, () => original.apply(this, values));
  });
}

SystemClock.prototype.now = () => Date.now() + clockOffset;
replace(SystemClock.prototype, 'sleep', (original) => function sleep(this: unknown, ...[milliseconds, ...more]: unknown[]): unknown {
  return original.apply(this, [IMAGE_SWEEPS.includes(Number(milliseconds)) ? SHORT_SWEEP : milliseconds, ...more]);
});

process.on('message', (order: Order) => {
  if (order.clockOffset !== undefined) clockOffset = order.clockOffset;
  if (order.die !== undefined) armed = order.die;
});
process.channel?.unref();

process.exitCode = await runCommand(process.argv.slice(2), process.env);
