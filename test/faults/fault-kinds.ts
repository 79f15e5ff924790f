import { setTimeout as pause } from 'node:timers/promises';
import type { FaultGateway } from './fault-gateway.ts';
import type { FaultSite } from './fault-site.ts';
import type { Random } from './random.ts';
import { type Arming, type StepDeck, wayTo, type Wish } from './steps.ts';

/** What a fault needs. */
export interface FaultContext {
  readonly site: FaultSite;
  readonly random: Random;
  readonly deck: StepDeck;
  /** Asks for a job that comes to a step; nobody waits for it. */
  readonly wish: (wish: Wish) => void;
}

/** Does one thing to the site and puts it right again; what it has really done, in words; undefined where it was not possible. */
type Fault = (context: FaultContext) => Promise<string | undefined>;

/** How long the gateway is given to come to the step at which it is to die, and where a job has to be asked for or a gateway started first (milliseconds). */
const STEP_WITHIN = 2_500;
const STEP_WITHIN_LONG = 8_000;

/** Steps tried one after the other until one is reached. */
const STEP_TRIES = 3;

/** Pauses are counted in this (milliseconds): long enough for a gateway to feel it, short enough for hundreds of faults. */
const BEAT = 600;

const HOUR = 3600_000;
/** Longer than one timer can be, and than the default lifetimes; not than those of this site, so that only who asked for it is destroyed. */
const MONTH = 30 * 24 * HOUR;

const beats = (random: Random, most: number): number => random.int(0, most * BEAT);

const FIRST = {
  'kill the gateway at some instant': async ({ site, random }) => {
    await site.gateway.end('SIGKILL');
    await pause(beats(random, 2));
    await site.gateway.start();
    return 'killed';
  },
  'kill the gateway at a step': async (context) => {
    for (let tries = 1; tries <= STEP_TRIES; tries += 1) {
      const card = context.deck.deal();
      const died = await diesAt(card, context);
      if (died) await pause(beats(context.random, 1));
      await context.site.gateway.start();
      if (died) return `${card.moment} ${card.step}`;
      context.deck.putBack(card);
    }
    return undefined;
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
    if (!site.smallDisk) return undefined;
    const free = site.fillDisk();
    await pause(500 + beats(random, 3));
    if (random.chance(0.3)) await site.gateway.end('SIGKILL');
    free();
    await site.gateway.start();
    return 'filled';
  },
  "fill the engine's disk": async ({ site, random }) => {
    if (!site.engine.smallDisk) return undefined;
    const free = site.engine.fillDisk();
    await pause(500 + beats(random, 3));
    free();
    return 'filled';
  },
  'step the clock': async ({ site, random }) => {
    const steps = [5_000, 60_000, HOUR, MONTH].flatMap((each) => [-each, each]);
    // one for each gateway: where both live, they do not agree either
    const offsets = [random.pick(steps), random.pick(steps)] as const;
    const set = (offset: (i: 0 | 1) => number): void => [site.gateway, site.second].forEach((gateway, i) => gateway.tell({ clockOffset: offset(i === 0 ? 0 : 1) }));
    set((i) => offsets[i]);
    await pause(500 + beats(random, 3));
    if (random.chance(0.3)) {
      await site.gateway.end('SIGKILL');
      await site.gateway.start();
    }
    set(() => 0);
    return `by ${String(offsets[0] / 1000)} s${site.second.alive ? `, that of the second gateway by ${String(offsets[1] / 1000)} s,` : ''} and back`;
  },
} as const satisfies Readonly<Record<string, Fault>>;

/** What a second gateway lives through. */
const TOGETHER = [
  'kill the gateway at some instant', 'kill the gateway at a step', 'stop the gateway as an operator does', 'freeze the gateway beyond its lease', 'stop the engine', 'kill the engine', 'freeze the engine',
  'kill gateway and engine at once', 'lose the registry', 'fill the disk', 'step the clock',
] as const satisfies readonly (keyof typeof FIRST)[];

export const FAULTS = {
  ...FIRST,
  'start a second gateway on the same store': async ({ site, random }) => {
    await site.second.start();
    await pause(1_000 + beats(random, 3));
    return endSecond(site.second, random);
  },
  'a second gateway lives through another fault': async (context) => {
    const { random, site } = context;
    const kind = random.pick(TOGETHER);
    await site.second.start();
    await pause(beats(random, 2));
    const done = await FIRST[kind](context);
    await pause(beats(random, 2));
    const ended = await endSecond(site.second, random);
    return done === undefined ? undefined : `${kind}: ${done}; ${ended}`;
  },
  'a second gateway takes over from a frozen one': async ({ site, random }) => {
    await site.second.start();
    site.gateway.signal('SIGSTOP');
    await pause(4_000 + beats(random, 3));
    site.gateway.signal('SIGCONT');
    await pause(beats(random, 2));
    return `frozen, taken over, thawed; ${await endSecond(site.second, random)}`;
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultKind = keyof typeof FAULTS;

/** How often each kind comes. */
export const FAULT_WEIGHTS: Readonly<Record<FaultKind, number>> = {
  'kill the gateway at some instant': 8,
  'kill the gateway at a step': 36,
  'stop the gateway as an operator does': 5,
  'freeze the gateway beyond its lease': 2,
  'stop the engine': 4,
  'kill the engine': 6,
  'freeze the engine': 4,
  'kill gateway and engine at once': 3,
  'lose the registry': 8,
  'fill the disk': 5,
  "fill the engine's disk": 4,
  'step the clock': 6,
  'start a second gateway on the same store': 2,
  'a second gateway lives through another fault': 5,
  'a second gateway takes over from a frozen one': 2,
};

/** Whether the gateway has come to the step, and died there. It may be dead or alive afterwards. */
async function diesAt(card: Arming, { site: { gateway }, wish }: FaultContext): Promise<boolean> {
  const way = wayTo(card.step);
  const before = gateway.hits.length;
  if (way.following !== undefined) {
    gateway.tell({ die: { ...card, step: way.following, moment: 'before' } });
    if (way.wish !== undefined) wish(way.wish);
    if (!(await gateway.dies(STEP_WITHIN_LONG)) || gateway.hits.length === before) {
      gateway.tell({ die: null });
      return false;
    }
  }
  if (way.atStart === true || way.following !== undefined) await gateway.startToDie(card);
  else gateway.tell({ die: card });
  if (way.wish !== undefined && way.following === undefined) wish(way.wish);
  await gateway.dies(Object.keys(way).length === 0 ? STEP_WITHIN : STEP_WITHIN_LONG);
  gateway.tell({ die: null });
  return gateway.hits.at(-1) === `${card.moment} ${card.step}` && gateway.hits.length > before;
}

async function endSecond(second: FaultGateway, random: Random): Promise<string> {
  const signal = random.pick(['SIGKILL', 'SIGTERM'] as const);
  await second.end(signal);
  return `the second ended by ${signal}`;
}

async function engineDown(site: FaultSite, random: Random, signal: 'SIGTERM' | 'SIGKILL'): Promise<string> {
  await site.engine.end(signal);
  await pause(beats(random, 3));
  const liveRestore = random.chance(0.5);
  await site.engine.start(liveRestore);
  return `${signal}, then started ${liveRestore ? 'with' : 'without'} live-restore`;
}
