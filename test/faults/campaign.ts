import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './clients.ts';
import { FAULT_WEIGHTS, type FaultContext, FAULTS } from './fault-kinds.ts';
import { FaultSite } from './fault-site.ts';
import type { KnownJob } from './model.ts';
import { Random } from './random.ts';
import type { Report } from './report.ts';
import { checkAtRest } from './rest.ts';
import { neverReached, StepDeck, type Wish } from './steps.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** Ends after so many faults, or so many minutes, whichever is first. */
  readonly faults: number;
  readonly minutes: number;
  readonly say: (line: string) => void;
  /** Ends it after the fault that is under way: nothing is compared, and everything taken down. */
  readonly signal?: AbortSignal;
}

const CLIENTS = 4;

/** From so many faults on, every step must have been reached. */
const MANY_FAULTS = 500;

/** One campaign: a site, clients, faults; then rest, and everything is compared with what clients were told. What ends it early is one of the report's problems. */
export async function campaign(options: CampaignOptions): Promise<Report> {
  const began = Date.now();
  const run = new Campaign({ ...options, say: (line) => options.say(`${elapsed(Date.now() - began)}  ${line}`) });
  try {
    await run.open();
    await run.faults();
    if (options.signal?.aborted !== true) await run.rest();
  } catch (error) {
    run.problems.push(`the campaign itself has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    await run.close();
  }
  return run.report(Date.now() - began);
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #random: Random;
  readonly #site = new FaultSite();
  readonly #jobs: KnownJob[] = [];
  readonly #clients: Client[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #wishes: Promise<void>[] = [];
  readonly problems: string[] = [];
  #impossible = 0;
  #faultsTook = 0;
  #checked: Pick<Report, 'phases' | 'errors' | 'results'> = { phases: {}, errors: {}, results: 0 };

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  async open(): Promise<void> {
    await this.#site.open(this.#random.fork());
    await this.#site.gateway.start();
    // the last one does nothing but what faults wish for
    for (let i = 0; i <= CLIENTS; i += 1) this.#clients.push(this.#client(i));
  }

  /** Clients act, and faults come, until there were enough. */
  async faults(): Promise<void> {
    const { faults, minutes, signal } = this.#options;
    const stop = new AbortController();
    const acting = this.#clients.slice(0, CLIENTS).map((client) => client.act(stop.signal));
    const began = Date.now();
    const deadline = began + minutes * 60_000;
    const draws = this.#random.fork();
    const deck = new StepDeck(this.#random.fork());
    try {
      for (let done = 0; done < faults && Date.now() < deadline && signal?.aborted !== true; ) {
        const kind = draws.weighted(FAULT_WEIGHTS);
        const random = draws.fork();
        await pause(random.int(100, 600));
        if (await this.#fault(kind, done + 1, { site: this.#site, random, deck, wish: (wish) => this.#wish(wish) })) done += 1;
      }
    } finally {
      stop.abort();
      await Promise.all([...acting, ...this.#wishes]);
      this.#faultsTook = Date.now() - began;
    }
  }

  async rest(): Promise<void> {
    this.#options.say('no more faults; waiting for rest');
    this.#checked = await checkAtRest(this.#site, this.#jobs, this.problems);
    this.#options.say('at rest, and compared');
  }

  async close(): Promise<void> {
    for (const { complaints } of this.#clients) this.problems.push(...complaints);
    if (this.#site.opened) this.problems.push(...this.#site.gateway.crashes, ...this.#site.second.crashes);
    if (this.problems.length > 0) this.#options.say(`log of the gateways:\n${this.#site.tail(this.problems)}`);
    this.#reached = this.#countReached();
    await this.#site.close().catch((error: unknown) => this.problems.push(`the site was not taken down: ${String(error)}`));
  }

  #reached: Record<string, number> = {};

  report(took: number): Report {
    const faults = Object.values(this.#faults).reduce((sum, each) => sum + each, 0);
    const never = neverReached(this.#reached);
    if (faults >= MANY_FAULTS && never.length > 0) this.problems.push(`no gateway has died at ${never.join(', ')}`);
    const requests = this.#clients.reduce((sum, client) => sum + client.requests, 0);
    const lists: Record<string, number> = {};
    for (const { plan } of this.#jobs) lists[plan.list] = (lists[plan.list] ?? 0) + 1;
    return {
      seed: this.#options.seed, took, faultsTook: this.#faultsTook, faults: this.#faults, impossible: this.#impossible, steps: this.#reached, neverReached: never,
      jobs: lists, requests, gatewayStarts: this.#site.opened ? this.#site.gateway.starts + this.#site.second.starts : 0, ...this.#checked, engineMended: this.#site.engine.mended, problems: this.problems,
    };
  }

  /** Whether it was one. */
  async #fault(kind: keyof typeof FAULTS, number: number, context: FaultContext): Promise<boolean> {
    const say = (text: string): void => this.#options.say(`${String(number).padStart(4)}  ${kind}: ${text}`);
    try {
      const done = await FAULTS[kind](context);
      say(done ?? 'not possible now');
      if (done === undefined) {
        this.#impossible += 1;
        return false;
      }
    } catch (error) {
      this.problems.push(`fault ${String(number)}, ${kind}: ${error instanceof Error ? error.message : String(error)}`);
      say(`FAILED ${String(error)}`);
      await this.#site.restore();
    }
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    return true;
  }

  #client(i: number): Client {
    const random = this.#random.fork();
    const { second, gateway, images } = this.#site;
    return new Client(`m${String(i)}`, { random, images, jobs: this.#jobs, url: () => (second.alive && random.chance(0.3) ? second : gateway).url });
  }

  #wish(wish: Wish): void {
    const client = this.#clients[CLIENTS];
    if (client !== undefined) this.#wishes.push(client.grant(wish).catch((error: unknown) => void this.problems.push(`${wish.kind}: ${String(error)}`)));
  }

  #countReached(): Record<string, number> {
    const reached: Record<string, number> = {};
    for (const line of this.#site.opened ? this.#site.gateway.hits : []) {
      const step = line.slice(line.indexOf(' ') + 1);
      reached[step] = (reached[step] ?? 0) + 1;
    }
    return reached;
  }
}

function elapsed(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(3)}:${String(seconds % 60).padStart(2, '0')}`;
}
