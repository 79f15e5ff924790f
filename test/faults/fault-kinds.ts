import { setTimeout as pause } from 'node:timers/promises';
import type { FaultSite } from './fault-site.ts';
import type { Random } from './random.ts';
import { MOMENTS, STEPS } from './steps.ts';

/** What a fault needs. */
export interface FaultContext {
  readonly site: FaultSite;
  readonly random: Random;
}

/** Does one thing to the site and puts it right again; what it has really done, in words. */
type Fault = (context: FaultContext) => Promise<string>;

/** How long the gateway is given to come to the step at which it is to die (milliseconds). */
const STEP_WITHIN = 2_500;

/** Pauses are counted in this (milliseconds): long enough for a gateway to feel it, short enough for hundreds of faults. */
const BEAT = 600;

const beats = (random: Random, most: number): number => random.int(0, most * BEAT);

export const FAULTS = {
  'kill the gateway at some instant': async ({ site, random }) => {
    await site.gateway.end('SIGKILL');
    await pause(beats(random, 2));
    await site.gateway.start();
    return 'killed';
  },
  'kill the gateway at a step': async ({ site, random }) => {
    const [step, moment] = [random.pick(STEPS), random.pick(MOMENTS)];
    site.gateway.tell({ step, moment });
    const died = await site.gateway.dies(STEP_WITHIN);
    if (!died) await site.gateway.end('SIGKILL');
    await pause(beats(random, 1));
    await site.gateway.start();
    return `${moment} ${step}${died ? '' : ' (not reached; killed)'}`;
  },
  'stop the gateway as an operator does': async ({ site, random }) => {
    const code = await site.gateway.end('SIGTERM');
    if (code !== 0) throw new Error(`SIGTERM ended the gateway with ${String(code)}`);
    await pause(beats(random, 2));
    await site.gateway.start();
    return 'stopped';
  },
  'freeze the gateway beyond its lease': async ({ site, random }) => {
    site.gateway.signal('SIGSTOP');
    await pause(2_000 + beats(random, 2));
    site.gateway.signal('SIGCONT');
    return 'frozen';
  },
  'stop the engine': ({ site, random }) => engineDown(site, random, 'SIGTERM'),
  'kill the engine': ({ site, random }) => engineDown(site, random, 'SIGKILL'),
  'freeze the engine': async ({ site, random }) => {
    site.engine.freeze(true);
    await pause(beats(random, 4));
    site.engine.freeze(false);
    return 'frozen';
  },
  'kill gateway and engine at once': async ({ site, random }) => {
    await Promise.all([site.gateway.end('SIGKILL'), site.engine.end('SIGKILL')]);
    await pause(beats(random, 1));
    await site.gateway.start();
    await pause(beats(random, 1));
    await site.engine.start(random.chance(0.5));
    return 'both killed';
  },
  'lose the registry': async ({ site, random }) => {
    const weather = random.pick(['refused', 'slow', 'truncated', 'corrupt', 'error500', 'error429'] as const);
    site.registry.weather = weather;
    await pause(500 + beats(random, 4));
    site.registry.weather = 'fair';
    return weather;
  },
  'fill the disk': async ({ site, random }) => {
    if (!site.smallDisk) return 'not possible here';
    const free = site.fillDisk();
    await pause(500 + beats(random, 3));
    if (random.chance(0.3)) await site.gateway.end('SIGKILL');
    free();
    await site.gateway.start();
    return 'filled';
  },
  'step the clock': async ({ site, random }) => {
    const clockOffset = random.pick([-3600_000, -60_000, -5_000, 5_000, 60_000, 3600_000]);
    for (const gateway of [site.gateway, site.second]) gateway.tell({ clockOffset });
    await pause(500 + beats(random, 3));
    if (random.chance(0.3)) {
      await site.gateway.end('SIGKILL');
      await site.gateway.start();
    }
    for (const gateway of [site.gateway, site.second]) gateway.tell({ clockOffset: 0 });
    return `by ${String(clockOffset / 1000)} s and back`;
  },
  'start a second gateway on the same store': async ({ site, random }) => {
    await site.second.start();
    await pause(1_000 + beats(random, 3));
    const signal = random.pick(['SIGKILL', 'SIGTERM'] as const);
    await site.second.end(signal);
    return `ended by ${signal}`;
  },
  'a second gateway takes over from a frozen one': async ({ site, random }) => {
    await site.second.start();
    site.gateway.signal('SIGSTOP');
    await pause(4_000 + beats(random, 3));
    site.gateway.signal('SIGCONT');
    await pause(beats(random, 2));
    await site.second.end(random.pick(['SIGKILL', 'SIGTERM'] as const));
    return 'frozen, taken over, thawed';
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultKind = keyof typeof FAULTS;

/** How often each kind comes. */
export const FAULT_WEIGHTS: Readonly<Record<FaultKind, number>> = {
  'kill the gateway at some instant': 12,
  'kill the gateway at a step': 34,
  'stop the gateway as an operator does': 5,
  'freeze the gateway beyond its lease': 2,
  'stop the engine': 4,
  'kill the engine': 6,
  'freeze the engine': 4,
  'kill gateway and engine at once': 3,
  'lose the registry': 12,
  'fill the disk': 5,
  'step the clock': 6,
  'start a second gateway on the same store': 4,
  'a second gateway takes over from a frozen one': 3,
};

async function engineDown(site: FaultSite, random: Random, signal: 'SIGTERM' | 'SIGKILL'): Promise<string> {
  await site.engine.end(signal);
  await pause(beats(random, 3));
  const liveRestore = random.chance(0.5);
  await site.engine.start(liveRestore);
  return `${signal}, then started ${liveRestore ? 'with' : 'without'} live-restore`;
}
