/**
 * `pratique`, with its engine, its store and its clock made treacherous: run by the harness as a program of its own, and told over
 * the channel between them what to do. The gateway itself knows nothing of it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SystemClock } from '../../src/clock.ts';
import { runCommand } from '../../src/cli/command.ts';
import { DockerCalls } from '../../src/engine/docker-call.ts';
import { DockerEngine } from '../../src/engine/docker-engine.ts';
import { FileResultStore } from '../../src/store/file-result-store.ts';
import { SqliteDatabase } from '../../src/store/sqlite-database.ts';
import { SqliteJobStore } from '../../src/store/sqlite-job-store.ts';
import { MOMENTS, type Moment, type Order, STEPS } from './steps.ts';

const CLASSES = { DockerCalls, DockerEngine, FileResultStore, SqliteDatabase, SqliteJobStore } as const;

let armed: { readonly step: string; readonly moment: Moment } | undefined;
let clockOffset = Number(process.env['FAULT_CLOCK_OFFSET'] ?? 0);
delete process.env['FAULT_CLOCK_OFFSET'];

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function hits(step: string, moment: Moment): boolean {
  return armed?.step === step && armed.moment === moment;
}

type Method = (this: unknown, ...values: unknown[]) => unknown;

/** `method`, at whose beginning, in whose midst or at whose end the process may die. */
function treacherous(step: string, method: Method): Method {
  return function treacherous(this: unknown, ...values: unknown[]): unknown {
    if (hits(step, 'before')) die();
    const answer = method.apply(this, values);
    if (hits(step, 'during')) void pause(Math.random() * 30).then(die);
    if (answer instanceof Promise && hits(step, 'after')) answer.then(die, die);
    else if (hits(step, 'after')) die();
    return answer;
  };
}

for (const step of STEPS) {
  const [name, method] = step.split('.') as [keyof typeof CLASSES, string];
  const prototype = CLASSES[name].prototype as unknown as Record<string, Method>;
  const original = prototype[method];
  if (original === undefined) throw new Error(`there is no step ${step}`);
  prototype[method] = treacherous(step, original);
}

SystemClock.prototype.now = () => Date.now() + clockOffset;

process.on('message', (order: Order) => {
  if (order.clockOffset !== undefined) clockOffset = order.clockOffset;
  if (order.step !== undefined) armed = { step: order.step, moment: order.moment ?? MOMENTS[0] };
});
process.channel?.unref();

process.exitCode = await runCommand(process.argv.slice(2), process.env);
