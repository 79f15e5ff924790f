import { expect } from 'chai';
import fc from 'fast-check';
import { isPhase, type Phase, SUCCESSORS, TERMINAL_PHASES } from '../../../src/job/phase.ts';
import { jobJsonFromXml, parseXml } from '../../support/uws-documents.ts';
import { IMAGE, idOf, type UwsGateway, uwsGateway } from './uws-gateway.ts';

/** What clients, containers, engines, operators and time can do to one job. */
const ACTS = {
  run: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/phase`, { PHASE: 'RUN' }),
  abort: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/phase`, { PHASE: 'ABORT' }),
  abortAtJob: (gateway: UwsGateway, path: string) => gateway.client.post(path, { PHASE: 'ABORT' }),
  delete: (gateway: UwsGateway, path: string) => gateway.client.delete(path),
  shorten: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/executionduration`, { EXECUTIONDURATION: '5' }),
  lengthen: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/executionduration`, { EXECUTIONDURATION: '0' }),
  destroySoon: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/destruction`, { DESTRUCTION: new Date(gateway.clock.now() + 20_000).toISOString() }),
  setParameter: (gateway: UwsGateway, path: string) => gateway.client.post(`${path}/parameters`, { 'ENV.X': '<&>', RUNID: 'r' }),
  wait: (gateway: UwsGateway, path: string) => gateway.client.get(`${path}?WAIT=5`),
  readResults: (gateway: UwsGateway, path: string) => gateway.client.get(`${path}/results`),
  write: (gateway: UwsGateway, path: string) => quietly(() => gateway.engine.write(idOf(path), 'stdout', 'line\n')),
  exit: (gateway: UwsGateway, path: string) => quietly(() => gateway.engine.finish(idOf(path), { code: 0, files: { 'a&b.txt': 'x' } })),
  fail: (gateway: UwsGateway, path: string) => quietly(() => gateway.engine.finish(idOf(path), { code: 3, stderr: '\u001b[31m' })),
  lose: (gateway: UwsGateway, path: string) => quietly(() => gateway.engine.lose(idOf(path))),
  breakEngine: (gateway: UwsGateway) => quietly(() => gateway.engine.disconnect()),
  mendEngine: (gateway: UwsGateway) => quietly(() => gateway.engine.reconnect()),
  failNext: (gateway: UwsGateway) => quietly(() => gateway.engine.failNext('start', { after: true })),
  hold: (gateway: UwsGateway, path: string) => gateway.store.changePhase(idOf(path), { from: ['PENDING'], to: 'HELD' }),
  second: (gateway: UwsGateway) => quietly(() => gateway.clock.advance(1000)),
  minute: (gateway: UwsGateway) => quietly(() => gateway.clock.advance(60_000)),
} as const;
type Act = keyof typeof ACTS;

interface Step {
  readonly act: Act;
  /** Whether the next step waits for the end of this one; otherwise they interleave. */
  readonly awaited: boolean;
  /** Turns of the event loop before the next step. */
  readonly turns: number;
}

async function quietly(act: () => void): Promise<undefined> {
  try {
    act();
  } catch {
    // there is no container to do this to
  }
  return undefined;
}

/** Phases that can come after `from`, any number of steps later. */
function reachable(from: Phase, seen: Set<Phase> = new Set([from])): ReadonlySet<Phase> {
  for (const next of SUCCESSORS[from]) {
    if (seen.has(next)) continue;
    seen.add(next);
    reachable(next, seen);
  }
  return seen;
}

/** One job as a client sees it over time; throws when a sight contradicts an earlier one. */
class Observer {
  readonly #gateway: UwsGateway;
  readonly #path: string;
  #last: Record<string, unknown> = { phase: 'PENDING' };
  #gone = false;

  constructor(gateway: UwsGateway, path: string) {
    this.#gateway = gateway;
    this.#path = path;
  }

  async look(): Promise<void> {
    const json = await this.#json();
    if (json === undefined) return;
    const xml = await this.#gateway.client.get(this.#path);
    const again = await this.#json();
    // between the three the job may have changed; then there is nothing to compare
    if (again !== undefined && again.text === json.text) expect(jobJsonFromXml(await parseXml(xml.text))).to.deep.equal(withoutDigests(json.job));
    expect(json.job.phase).to.satisfy((phase: string) => isPhase(phase) && reachable(this.#last.phase as Phase).has(phase), `${String(this.#last.phase)} -> ${String(json.job.phase)}`);
    if (TERMINAL_PHASES.has(this.#last.phase as Phase)) expect(json.job.endTime).to.equal(this.#last.endTime).and.not.equal(null);
    this.#last = json.job;
  }

  async #json(): Promise<{ readonly text: string; readonly job: Record<string, unknown> } | undefined> {
    const answer = await this.#gateway.client.get(this.#path, { accept: 'application/json' });
    expect(answer.status).to.be.oneOf(this.#gone ? [404] : [200, 404]);
    this.#gone = answer.status === 404;
    return this.#gone ? undefined : { text: answer.text, job: JSON.parse(answer.text) as Record<string, unknown> };
  }
}

function withoutDigests(job: Record<string, unknown>): Record<string, unknown> {
  const results = (job.results as Record<string, unknown>[]).map((result) => Object.fromEntries(Object.entries(result).filter(([name]) => name !== 'digest')));
  return { ...job, results };
}

describe('UWS 1.1 §2.1.3 any history of a job', function () {
  this.timeout(120_000);
  const gateway = uwsGateway({ execution: { archive: 3600 } });
  const step: fc.Arbitrary<Step> = fc.record({ act: fc.constantFrom(...(Object.keys(ACTS) as Act[])), awaited: fc.boolean(), turns: fc.integer({ min: 0, max: 5 }) });
  const begin: readonly Step[] = [{ act: 'run', awaited: true, turns: 3 }];

  it('keeps to the transition table, never changes what is over, and is told alike and validly in XML and JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), fc.boolean(), async (steps, runFirst) => {
        const path = await gateway.create({ IMAGE, EXECUTIONDURATION: '100' });
        const observer = new Observer(gateway, path);
        const pending: Promise<unknown>[] = [];
        for (const { act, awaited, turns } of [...(runFirst ? begin : []), ...steps]) {
          const done = Promise.resolve<unknown>(ACTS[act](gateway, path)).then(expectLegal);
          // a wait is never waited for: nothing else would happen meanwhile
          if (awaited && act !== 'wait') await done;
          else pending.push(done);
          for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
          await observer.look();
        }
        await settle(gateway, path, pending);
        await observer.look();
        // a container that somebody removed before its start was known here may be made again
        if (!steps.some(({ act }) => act === 'lose')) expect(gateway.engine.starts(idOf(path))).to.be.at.most(1);
      }),
      { numRuns: 80 },
    );
  });
});

/** Every answer is one that the standard knows for such a request. */
function expectLegal(answer: unknown): void {
  if (typeof answer === 'object' && answer !== null && 'status' in answer) expect(answer.status).to.be.oneOf([200, 303, 400, 403, 404]);
}

/** Lets time pass until nobody waits and the job is over. */
async function settle(gateway: UwsGateway, path: string, pending: readonly Promise<unknown>[]): Promise<void> {
  gateway.engine.reconnect();
  let open = true;
  void Promise.all(pending).then(() => (open = false), () => (open = false));
  while (open) {
    gateway.clock.advance(1000);
    await new Promise(setImmediate);
  }
  await Promise.all(pending);
  await gateway.client.delete(path);
  while (gateway.engine.jobs().includes(idOf(path))) {
    gateway.clock.advance(1000);
    await new Promise(setImmediate);
  }
}
