import type { JobKind } from './plan.ts';
import type { Random } from './random.ts';

/** A job that comes to a step, asked for when the gateway is to die there. */
export interface Wish {
  readonly kind: JobKind;
  /** It is aborted as soon as it executes. */
  readonly abort?: true;
}

/** How a gateway is brought to a step; by nothing special where jobs come there all the time. */
export interface Way {
  readonly wish?: Wish;
  /** Reached soon after the start: the gateway is told before it starts. */
  readonly atStart?: true;
  /** Reached by the gateway that follows one that has died at the beginning of this step. */
  readonly following?: 'DockerEngine.start' | 'DockerProjects.start';
}

const ALWAYS: Way = {};
const AT_START: Way = { atStart: true };
const PULL: Way = { wish: { kind: 'quick' } };
const SECRET: Way = { wish: { kind: 'secret' } };
const CHAIN: Way = { wish: { kind: 'chain' } };
/** One that comes to no good end: where a restart is forgotten, there is one too many. */
const RESTARTED: Way = { wish: { kind: 'hopeless' } };
const STOPPED: Way = { wish: { kind: 'long', abort: true } };
const CHAIN_STOPPED: Way = { wish: { kind: 'chainLong', abort: true } };
const OVER_LIMIT: Way = { wish: { kind: 'chainLong' } };

/**
 * The named steps at which a gateway can be told to die, and how one is brought there: methods, as class and name, and calls of
 * the engine, as verb and path, whose `*` is any one name.
 */
export const STEPS = {
  'DockerEngine.ensureImage': ALWAYS, 'DockerEngine.create': ALWAYS, 'DockerEngine.start': ALWAYS, 'DockerEngine.wait': ALWAYS, 'DockerEngine.inspect': ALWAYS, 'DockerEngine.stop': STOPPED,
  'DockerEngine.logs': ALWAYS, 'DockerEngine.outputs': ALWAYS, 'DockerEngine.remove': ALWAYS, 'DockerEngine.list': AT_START, 'DockerEngine.time': AT_START,
  'DockerEngine.mayStartAgain': { following: 'DockerEngine.start' }, 'DockerEngine.imageSizes': AT_START, 'DockerEngine.removeImage': AT_START,
  'ContainerCreation.create': ALWAYS, 'BlankVolume.prepare': ALWAYS, 'BlankVolume.tidy': ALWAYS, 'SecretDelivery.during': SECRET, 'SecretDelivery.tidy': ALWAYS,
  'DockerProjects.create': CHAIN, 'DockerProjects.start': CHAIN, 'DockerProjects.wait': CHAIN, 'DockerProjects.inspect': OVER_LIMIT, 'DockerProjects.stop': CHAIN_STOPPED,
  'DockerProjects.logs': CHAIN, 'DockerProjects.outputs': CHAIN, 'DockerProjects.remove': CHAIN, 'DockerProjects.list': AT_START, 'DockerProjects.mayStartAgain': { wish: { kind: 'chain' }, following: 'DockerProjects.start' },
  'ProjectBuilder.verifiedImages': CHAIN, 'ProjectBuilder.build': CHAIN, 'ProjectThings.prepare': CHAIN, 'ProjectThings.prepareOutput': CHAIN, 'ProjectFiles.imageWith': CHAIN, 'ProjectFiles.areIn': CHAIN,
  'ProjectRuns.of': CHAIN, 'ProjectRuns.found': CHAIN, 'ProjectRuns.hold': CHAIN_STOPPED, 'ProjectMarks.set': CHAIN, 'ProjectStarts.marked': RESTARTED, 'ServiceStart.later': CHAIN, 'ProjectRuns.jobs': AT_START, 'ProjectRuns.remove': CHAIN,
  'SqliteJobStore.create': ALWAYS, 'SqliteJobStore.changePhase': ALWAYS, 'SqliteJobStore.update': ALWAYS, 'SqliteJobStore.claim': ALWAYS, 'SqliteJobStore.askStart': ALWAYS,
  'SqliteJobStore.release': ALWAYS, 'SqliteJobStore.holds': ALWAYS, 'SqliteJobStore.heartbeat': ALWAYS, 'SqliteJobStore.delete': ALWAYS, 'SqliteJobStore.forget': ALWAYS,
  'SqliteJobStore.unclaimed': AT_START, 'SqliteDatabase.durable': ALWAYS,
  'SqlitePulledImages.pulling': PULL, 'SqlitePulledImages.used': AT_START, 'SqlitePulledImages.all': AT_START, 'SqlitePulledImages.needed': AT_START, 'SqlitePulledImages.forget': AT_START,
  'FileResultStore.tidy': ALWAYS, 'FileResultStore.write': ALWAYS, 'FileResultStore.settle': ALWAYS, 'FileResultStore.deleteAll': ALWAYS,
  'POST /containers/create': ALWAYS, 'POST /containers/*/start': ALWAYS, 'POST /containers/*/wait': ALWAYS, 'POST /containers/*/stop': STOPPED, 'POST /containers/*/rename': CHAIN_STOPPED,
  'GET /containers/json': AT_START, 'GET /containers/*/json': ALWAYS, 'GET /containers/*/logs': ALWAYS, 'HEAD /containers/*/archive': ALWAYS, 'GET /containers/*/archive': ALWAYS,
  'PUT /containers/*/archive': CHAIN, 'DELETE /containers/*': ALWAYS, 'DELETE /volumes/*': ALWAYS, 'DELETE /images/*': AT_START, 'POST /images/create': PULL, 'POST /commit': CHAIN,
  'POST /networks/create': CHAIN, 'DELETE /networks/*': CHAIN, 'GET /_ping': ALWAYS,
} as const satisfies Readonly<Record<string, Way>>;

export type Step = keyof typeof STEPS;

const NAMES = Object.keys(STEPS) as readonly Step[];

export function wayTo(step: Step): Way {
  return STEPS[step];
}

/** `during`: some milliseconds after it began, so that what was sent is on its way and no answer is there. */
export const MOMENTS = ['before', 'during', 'after'] as const;

export type Moment = (typeof MOMENTS)[number];

/** Where a gateway is to die. */
export interface Arming {
  readonly step: Step;
  readonly moment: Moment;
  /** Milliseconds from the step's beginning to its `during`. */
  readonly delay: number;
}

/** What the harness tells a gateway. */
export interface Order {
  /** null: nowhere, any more. */
  readonly die?: Arming | null;
  /** Milliseconds by which its wall clock is wrong from now on. */
  readonly clockOffset?: number;
}

/** Deals every step once, each at some moment, before any comes again at its next moment; what was not reached is put back. */
export class StepDeck {
  readonly #random: Random;
  readonly #first: readonly number[];
  #cards: Arming[] = [];
  #round = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#first = NAMES.map(() => random.int(0, MOMENTS.length - 1));
  }

  deal(): Arming {
    if (this.#cards.length === 0) {
      const moment = (i: number): Moment => MOMENTS[((this.#first[i] ?? 0) + this.#round) % MOMENTS.length] ?? 'before';
      this.#cards = this.#random.shuffled(NAMES.map((step, i) => ({ step, moment: moment(i), delay: this.#random.int(0, 30) })));
      this.#round += 1;
    }
    const card = this.#cards.pop();
    if (card === undefined) throw new Error('there are no steps');
    return card;
  }

  /** It comes once more, somewhere in this round. */
  putBack(card: Arming): void {
    this.#cards.splice(this.#random.int(0, this.#cards.length), 0, card);
  }
}

/** Steps that no gateway has died at. */
export function neverReached(reached: Readonly<Record<string, number>>): readonly Step[] {
  return NAMES.filter((step) => (reached[step] ?? 0) === 0);
}
